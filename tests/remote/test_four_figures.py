"""The numbers worker's arithmetic and its wire format, apart from any queue."""

from __future__ import annotations

import statistics
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_runtime import Job, Outcome, done, failed
from numbers_worker.four_figures import WRONG_INPUT, work

PRESET = "1,5,22,33,9,0,-15,8,22,100,33,62,90,150,1,2,3"
NAMES = ("minimum", "maximum", "average", "median")

integers = st.lists(st.integers(-(10**15) + 1, 10**15 - 1), min_size=1, max_size=60)


def answer(body: str) -> Outcome:
    return work(Job(None, body, 1))


def figures(body: str) -> list[str]:
    outcome = answer(body)
    assert outcome.state == "done", outcome
    found = []
    for name, line in zip(NAMES, outcome.answer.split("\n"), strict=True):
        assert line.startswith(f"The list {name} is : ")
        assert line.endswith(" ")
        found.append(line.removeprefix(f"The list {name} is : ")[:-1])
    return found


def test_the_pre_made_request_has_the_original_answer() -> None:
    assert answer(PRESET) == done(
        "The list minimum is : -15 \n"
        "The list maximum is : 150 \n"
        "The list average is : 30.941176470588236 \n"
        "The list median is : 9 "
    )


@given(integers)
def test_integers_agree_with_the_statistics_module(numbers: list[int]) -> None:
    least, greatest, average, median = figures(",".join(map(str, numbers)))
    assert (int(least), int(greatest)) == (min(numbers), max(numbers))
    exact = [Fraction(number) for number in numbers]
    assert float(average) == float(statistics.mean(exact))
    assert float(median) == float(statistics.median(exact))


@given(integers)
def test_whole_figures_have_no_point(numbers: list[int]) -> None:
    least, greatest, average, median = figures(",".join(map(str, numbers)))
    assert "." not in least + greatest
    if sum(numbers) % len(numbers) == 0:
        assert "." not in average
    if len(numbers) % 2:
        assert "." not in median


@given(integers, st.sampled_from(["", " ", "\t", "  ", "\n"]))
def test_blanks_around_numbers_do_not_matter(numbers: list[int], blank: str) -> None:
    spaced = ",".join(f"{blank}{number}{blank}" for number in numbers)
    assert answer(spaced) == answer(",".join(map(str, numbers)))


@given(st.text(max_size=200))
def test_any_text_is_answered(body: str) -> None:
    outcome = answer(body)
    assert outcome == failed(WRONG_INPUT) or figures(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("1,1,2", ["1", "2", "1.3333333333333333", "1"]),
        (" 1, 2 ", ["1", "2", "1.5", "1.5"]),
        ("-0", ["0"] * 4),
        ("+7", ["7"] * 4),
        ("007", ["7"] * 4),
        ("999999999999999", ["999999999999999"] * 4),
        ("1,2", ["1", "2", "1.5", "1.5"]),
    ],
)
def test_how_figures_are_printed(body: str, expected: list[str]) -> None:
    assert figures(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        *("1.5", "1.5,2", "1.0", "0.1"),
        *("", " ", ",", "1,", ",1", "1,,2", "1;2", "1 2", "- 1", "--1", "+-1", "1-", "one"),
        *("nan", "NaN", "inf", "-inf", "Infinity", "1e5", "1E5", "0x10", "0b1", "1_000", "1j"),
        *(
            ".5",
            "5.",
            "1.2.3",
            "1,2,three",
            "\u0661,\u0662",
            "\uff11",
            "\u00b2",
            "1\u00a0",
            "1\x00",
        ),
        *(
            "1000000000000000",
            "0.000000000000001",
            "9" * 5000,
            "True",
            "None",
            "[1,2]",
            "1,2\x1b[0m",
        ),
        *("{0}", "%d", "${x}", "__import__('os')", "1+1", "1\u202e2", "\ufeff1"),
    ],
)
def test_bad_requests_are_answered_wrong_input(body: str) -> None:
    assert answer(body) == failed("Wrong input")


def test_a_million_numbers_are_too_many_and_a_hundred_thousand_are_not() -> None:
    assert answer(",".join(["1"] * 1_000_000)) == failed(WRONG_INPUT)
    assert answer(",".join(["1"] * 100_001)) == failed(WRONG_INPUT)
    assert figures(",".join(["1"] * 100_000)) == ["1"] * 4
    assert answer(" " * 1_000_000 + "1") == failed(WRONG_INPUT)
