"""The feed follows a file whatever is done to it: half lines, huge lines, another in its place."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl import events as e
from labctl.tui import feed as feed_module
from labctl.tui.feed import Feed

DEADLINE_S = 20.0


def line(phase: str, at: float = 1.0) -> bytes:
    record = {"at": at, **e.as_record(e.PhaseStarted(phase=phase))}
    return json.dumps(record).encode() + b"\n"


def job_line(number: int, size: int = 1000) -> bytes:
    job = e.JobFinished(
        job_id=f"j{number}",
        body="b" * size,
        sent_at=1.0,
        state="done",
        worker="w",
        attempt=1,
        latency_ms=1.0,
        answer="a",
    )
    return json.dumps({"at": 1.0, **e.as_record(job)}).encode() + b"\n"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


class Follower:
    """A started feed, and the phases that it has told of so far."""

    def __init__(self, path: Path) -> None:
        self.feed = Feed(path)
        self.events: list[e.Event] = []
        self.feed.start()

    @property
    def phases(self) -> list[str]:
        return [each.phase for each in self.events if isinstance(each, e.PhaseStarted)]

    def until_phase(self, phase: str) -> list[str]:
        """Take until a phase is told of; a feed that never tells of it fails the test."""
        deadline = time.monotonic() + DEADLINE_S
        while phase not in self.phases:
            assert time.monotonic() < deadline, f"{phase} was not told of: {self.phases}"
            self.events += [event for _, event in self.feed.take()]
        return self.phases


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def followed(path: Path) -> Iterator[Follower]:
    follower = Follower(path)
    yield follower
    follower.feed.stop()


def test_a_file_that_comes_later_is_followed(path: Path, followed: Follower) -> None:
    assert followed.feed.take() == []
    append(path, line("a"))
    assert followed.until_phase("a") == ["a"]
    append(path, line("b") + line("c"))
    assert followed.until_phase("c") == ["a", "b", "c"]


def test_a_half_line_waits_for_its_other_half(path: Path, followed: Follower) -> None:
    whole = line("half")
    append(path, line("a") + whole[:20])
    followed.until_phase("a")
    append(path, whole[20:] + line("b"))
    assert followed.until_phase("b") == ["a", "half", "b"]


def test_a_second_session_in_the_same_file_goes_on(path: Path, followed: Follower) -> None:
    append(path, line("first"))
    followed.until_phase("first")
    proof = e.TeardownProved(
        lab="l", session="s", ok=True, deleted=(), looked_for=(), left=(), seconds=1.0
    )
    append(path, json.dumps({"at": 2.0, **e.as_record(proof)}).encode() + b"\n")
    append(path, line("second"))
    assert followed.until_phase("second") == ["first", "second"]


def test_a_cut_file_is_read_from_its_beginning(path: Path, followed: Follower) -> None:
    append(path, line("a") + line("b"))
    followed.until_phase("b")
    path.write_bytes(line("c"))
    assert followed.until_phase("c") == ["a", "b", "c"]


def test_another_file_in_its_place_is_read_from_its_beginning(
    path: Path, followed: Follower
) -> None:
    append(path, line("a") + b'{"half of an old line')
    followed.until_phase("a")
    other = path.with_name("other")
    other.write_bytes(line("b") * 5 + line("c"))
    other.replace(path)
    assert followed.until_phase("c") == ["a", *["b"] * 5, "c"]


def test_a_removed_file_is_waited_for(path: Path, followed: Follower) -> None:
    append(path, line("a"))
    followed.until_phase("a")
    path.unlink()
    path.write_bytes(line("b"))
    assert followed.until_phase("b") == ["a", "b"]


def test_a_huge_line_is_passed_over_and_its_neighbours_are_not(
    path: Path, followed: Follower
) -> None:
    append(path, line("a") + b'{"at": 1, "event": "PhaseStarted", "phase": "' + b"x" * 10_000_000)
    followed.until_phase("a")
    append(path, b'"}\n' + line("b"))
    assert followed.until_phase("b") == ["a", "b"]


def test_rubbish_between_events_is_passed_over(path: Path, followed: Follower) -> None:
    rubbish = [
        b"\x00\xff\n",
        b"[1, 2]\n",
        b"null\n",
        b"\n",
        b'{"event": "Unheard"}\n',
        b'{"at": NaN, "event": "PhaseStarted", "phase": "nan"}\n',
        b'{"at": 1e300, "event": "PhaseStarted", "phase": "never"}\n',
        b'{"at": 1, "event": "PhaseStarted", "phase": 7}\n',
        b'{"at": 1, "event": "JobsSent", "count": -1, "total": 5}\n',
        b"[" * 100_000 + b"\n",
    ]
    append(path, line("a") + b"".join(rubbish) + line("b"))
    assert followed.until_phase("b") == ["a", "b"]
    assert len(followed.events) == 2


def test_of_a_long_file_the_head_tells_what_stands_and_the_tail_tells_all(path: Path) -> None:
    jobs = 12_000  # of more than 1,000 bytes each: over the 8 MB that are read whole
    with path.open("wb") as file:
        file.write(line("a"))
        for number in range(jobs):
            file.write(job_line(number))
        file.write(line("b"))
    follower = Follower(path)
    try:
        assert follower.until_phase("b") == ["a", "b"]
    finally:
        follower.feed.stop()
    told = [each.job_id for each in follower.events if isinstance(each, e.JobFinished)]
    assert told[-1] == f"j{jobs - 1}"
    assert feed_module._BACKLOG_BYTES // 1300 < len(told) < jobs


def test_what_nobody_takes_does_not_fill_memory(path: Path) -> None:
    path.write_bytes(line("a") * 100_000 + line("b"))
    follower = Follower(path)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not follower.feed._is_full():
            assert time.monotonic() < deadline
        assert len(follower.feed._read) < 2 * feed_module._MOST_WAITING
        assert len(follower.feed.take()) == feed_module._MOST_TAKEN
        follower.until_phase("b")
        assert len(follower.events) + feed_module._MOST_TAKEN == 100_001
    finally:
        follower.feed.stop()
