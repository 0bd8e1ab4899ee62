"""When keys end: said, told, estimated or not known; and each warning once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.targets.key_ends import EndWarnings, KeyEnd, KeyEnds

TEMPORARY = "ASIAABCDEFGHIJKLMNOP"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys-seen.json"


def test_what_the_source_says_is_certain(file: Path) -> None:
    assert KeyEnds(file).of(TEMPORARY, 123.0) == KeyEnd(123.0, about=False)


def test_keys_that_do_not_end_have_no_end(file: Path) -> None:
    assert KeyEnds(file, usual_life_s=60).of("AKIAABCDEFGHIJKLMNOP", None) is None
    assert not file.exists()


def test_without_a_usual_life_nothing_is_made_up(file: Path) -> None:
    assert KeyEnds(file).of(TEMPORARY, None) is None


def test_the_usual_life_counts_from_when_keys_were_first_seen_by_any_process(file: Path) -> None:
    before = time.time()
    first = KeyEnds(file, usual_life_s=4 * 3600).of(TEMPORARY, None)
    assert first is not None
    assert first.about
    assert before <= first.at - 4 * 3600 <= time.time()
    assert KeyEnds(file, usual_life_s=4 * 3600).of(TEMPORARY, None) == first
    assert TEMPORARY not in file.read_text()


def test_the_users_word_beats_the_estimate(file: Path) -> None:
    ends = KeyEnds(file, usual_life_s=4 * 3600)
    ends.of(TEMPORARY, None)
    ends.told(TEMPORARY, 5000.0)
    assert ends.of(TEMPORARY, None) == KeyEnd(5000.0, about=True)
    assert KeyEnds(file).of(TEMPORARY, None) == KeyEnd(5000.0, about=True)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": {"first_seen": "x"}}'])
def test_a_broken_memory_is_as_good_as_none(file: Path, content: str) -> None:
    file.write_text(content)
    assert KeyEnds(file, usual_life_s=60).of(TEMPORARY, None) is not None


def test_only_the_latest_are_remembered(file: Path) -> None:
    for number in range(30):
        KeyEnds(file, usual_life_s=60).of(f"ASIA{number:016}", None)
    assert file.read_text().count("first_seen") == 20


@given(st.lists(st.floats(0.1, 60.0), max_size=30))
def test_each_threshold_is_told_once_and_the_nearest_only(minutes: list[float]) -> None:
    """As the time left falls, at 30, 10 and 2 minutes and never twice."""
    warnings, end = EndWarnings(), KeyEnd(7200.0, about=False)
    falling = sorted(minutes, reverse=True)
    told = [left for left in falling if warnings.due(end, end.at - left * 60)]
    expected: list[float] = []
    for upper, lower in ((30.0, 10.0), (10.0, 2.0), (2.0, 0.0)):
        expected += [left for left in falling if lower < left <= upper][:1]
    assert told == pytest.approx(expected)


def test_new_keys_are_warned_of_anew() -> None:
    warnings = EndWarnings()
    assert warnings.due(KeyEnd(100.0, about=False), 50.0)
    assert not warnings.due(KeyEnd(100.0, about=False), 60.0)
    assert warnings.due(KeyEnd(200.0, about=False), 150.0)
    assert not warnings.due(KeyEnd(200.0, about=False), 250.0)  # over: nothing to warn of
    assert not warnings.due(None, 0.0)
