"""Statistics of few rounds: exact where it can be counted, and never bolder than they may be."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.figures.statistics import (
    SIGNIFICANT,
    compare,
    least_p,
    needed_rounds,
    rank_test,
    ratio_interval,
    spread,
)

rates = st.floats(0.01, 1e6)
rounds = st.lists(rates, min_size=1, max_size=6)


@given(rounds)
def test_a_spread_is_ordered_and_of_the_values(values: list[float]) -> None:
    found = spread(values)
    assert min(values) == found.least <= found.low <= found.median <= found.high <= found.most
    assert found.most == max(values)
    assert found.count == len(values)


@pytest.mark.parametrize(
    ("values", "quartiles"),
    [([1.0], (1, 1, 1)), ([1.0, 3.0], (1.5, 2, 2.5)), ([5.0, 1.0, 2.0, 3.0, 4.0], (2, 3, 4))],
)
def test_quartiles_as_one_works_them_out(
    values: list[float], quartiles: tuple[float, float, float]
) -> None:
    found = spread(values)
    assert (found.low, found.median, found.high) == quartiles


@given(rounds, rounds)
def test_the_rank_test_counts_every_arrangement(a: list[float], b: list[float]) -> None:
    both = [*a, *b]
    ranks = [(sum(x < y for x in both) + sum(x <= y for x in both) + 1) / 2 for y in both]
    middle = len(a) * (len(both) + 1) / 2
    far = abs(sum(ranks[: len(a)]) - middle)
    sums = [sum(chosen) for chosen in combinations(ranks, len(a))]
    expected = sum(abs(total - middle) >= far - 1e-9 for total in sums) / len(sums)
    assert rank_test(a, b) == pytest.approx(expected)


@given(rounds, rounds)
def test_the_rank_test_does_not_mind_who_is_first(a: list[float], b: list[float]) -> None:
    assert rank_test(a, b) == pytest.approx(rank_test(b, a))
    as_many = min(len(a), len(b))  # the command measures as many rounds of each
    p = rank_test(a[:as_many], b[:as_many])
    assert least_p(as_many, as_many) <= p + 1e-12 <= 1 + 1e-9


@given(rounds, rounds, st.sampled_from([0.25, 2.0, 1024.0]))
def test_units_change_nothing_but_the_units(a: list[float], b: list[float], unit: float) -> None:
    (plain,) = compare(a, [b])
    (scaled,) = compare([unit * each for each in a], [[unit * each for each in b]])
    assert scaled.word == plain.word
    assert scaled.ratio == pytest.approx(plain.ratio)


@given(rounds, rounds)
def test_the_interval_lies_around_the_middle_of_the_ratios(a: list[float], b: list[float]) -> None:
    low, high = ratio_interval(a, b)
    ratios = [y / x for x in a for y in b]
    assert min(ratios) <= low <= spread(ratios).median <= high <= max(ratios)


@given(st.lists(rates, min_size=1, max_size=3), st.lists(rates, min_size=1, max_size=3))
def test_three_rounds_never_show_a_difference(a: list[float], b: list[float]) -> None:
    assert compare(a, [b])[0].word == "too few rounds"


@given(st.lists(rates, min_size=5, max_size=8), st.lists(rates, min_size=5, max_size=8))
def test_what_the_spread_covers_is_not_called_real(a: list[float], b: list[float]) -> None:
    (found,) = compare(a, [b])
    base, other = spread(a), spread(b)
    if base.low <= other.median <= base.high or other.low <= base.median <= other.high:
        assert not found.real
    if found.real:
        assert found.p < SIGNIFICANT
        assert (found.ratio > 1) == (found.word == "faster")


def test_a_clear_difference_is_called_one() -> None:
    slow, fast = [100.0, 101, 99, 102], [200.0, 210, 190, 205]
    faster, same = compare(slow, [fast, [100.5, 99.5, 101.5, 98.5]])
    assert same.word == "no difference shown" or same.word == "too few rounds"
    assert faster.word == "too few rounds"  # four are enough for one comparison, not for two
    assert compare(slow, [fast])[0].word == "faster"
    assert compare(fast, [slow])[0].word == "slower"
    assert compare(slow, [fast])[0].low > 1


def test_a_significant_shift_within_the_spread_is_not_called_one() -> None:
    a = [90.0, 92, 93, 95, 101, 101, 102, 104, 105, 105, 106, 106]
    b = [94.0, 98, 98, 102, 105, 109, 111, 111, 112, 113, 115, 120]
    (found,) = compare(a, [b])
    assert found.p < SIGNIFICANT
    assert spread(b).low <= spread(a).median
    assert found.word == "no difference shown"


def test_more_comparisons_need_more_rounds() -> None:
    assert [needed_rounds(count) for count in (1, 2, 3, 10)] == [4, 5, 5, 6]


def test_without_a_difference_one_is_seldom_called_real() -> None:
    chance = random.Random(7)

    def noisy() -> list[float]:
        return [chance.lognormvariate(6, 0.3) for _ in range(6)]

    wrong = sum(
        any(each.real for each in compare(noisy(), [noisy(), noisy(), noisy()])) for _ in range(400)
    )
    assert wrong / 400 < SIGNIFICANT + 0.02
