"""Durations are kept whole, few, and by several processes at once; damage costs only the guess."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.ledger.durations import KEPT, MOST_ACTIONS, MOST_TARGETS, Durations, quantile

QUEUE = ("sqs.queue", "create")
WRITER = """
import sys
from pathlib import Path
from labctl.ledger.durations import Durations
for number in range(20):
    Durations(Path(sys.argv[1])).add("local", [(f"kind{sys.argv[2]}", f"act{number}", 1.0)])
"""


def test_what_was_measured_is_expected_where_it_was_measured(tmp_path: Path) -> None:
    durations = Durations(tmp_path)
    assert durations.of("local") == {}
    durations.add("local", [(*QUEUE, 2.0), ("agent", "push", 9.0)])
    durations.add("http://127.0.0.1:4566", [(*QUEUE, 7.0)])
    assert Durations(tmp_path).of("local") == {QUEUE: 2.0, ("agent", "push"): 9.0}
    assert durations.of("http://127.0.0.1:4566") == {QUEUE: 7.0}
    assert durations.of("aws") == {}
    assert (tmp_path / "durations.json").stat().st_mode & 0o777 == 0o600


def test_only_the_last_few_count(tmp_path: Path) -> None:
    durations = Durations(tmp_path)
    durations.add("local", [(*QUEUE, 500.0)])
    for _ in range(KEPT):
        durations.add("local", [(*QUEUE, 1.0)])
    assert durations.of("local") == {QUEUE: 1.0}


def test_the_file_stays_small(tmp_path: Path) -> None:
    durations = Durations(tmp_path)
    for number in range(MOST_TARGETS + 5):
        durations.add(f"target{number}", [("kind", "act", 1.0)])
    durations.add("local", [(f"kind{number}", "act", 1.0) for number in range(MOST_ACTIONS + 5)])
    kept = json.loads((tmp_path / "durations.json").read_text())["seconds"]
    assert len(kept) == MOST_TARGETS
    assert len(kept["local"]) == MOST_ACTIONS
    assert "kind0 act" not in kept["local"]
    assert "target0" not in kept


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=KEPT))
def test_a_high_one_of_them_is_expected(values: list[float]) -> None:
    found = quantile(values)
    assert found in values
    assert sum(value <= found for value in values) >= 0.9 * len(values)
    assert sum(value < found for value in values) < 0.9 * len(values)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"seconds": 3}', '{"seconds": {"local": []}}', "[" * 50_000, "\x00"],
)
def test_a_damaged_file_counts_as_none_and_is_written_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "durations.json").write_text(content)
    durations = Durations(tmp_path)
    assert durations.of("local") == {}
    durations.add("local", [(*QUEUE, 2.0)])
    assert durations.of("local") == {QUEUE: 2.0}


def test_odd_values_are_left_out(tmp_path: Path) -> None:
    odd = [True, "1", None, -1, 1e12, float("nan"), float("inf"), [1], 3]
    content = {"seconds": {"local": {"sqs.queue create": odd, "x y": ["z"], "q": [1]}}}
    (tmp_path / "durations.json").write_text(json.dumps(content))
    assert Durations(tmp_path).of("local") == {QUEUE: 3.0, ("", "q"): 1.0}
    Durations(tmp_path).add("local", [(*QUEUE, float("nan")), (*QUEUE, -5.0)])
    assert Durations(tmp_path).of("local")[QUEUE] == 3.0


def test_several_processes_lose_nothing_of_each_other(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(number)])
        for number in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(Durations(tmp_path).of("local")) == 60


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    Durations(tmp_path / "missing").add("local", [(*QUEUE, 2.0)])
    assert Durations(tmp_path / "missing").of("local") == {}
