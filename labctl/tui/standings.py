"""How every session of this machine stands, looked at again every few seconds in a thread.

The catalogue is shown before anything stands: what only looking needs is imported by the thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from labctl.engine.lifetime import is_over
from labctl.errors import LabctlError
from labctl.ledger.lock import is_at_work
from labctl.ledger.sessions import SessionRecord, known_sessions, session_folder
from labctl.paths import state_folder

if TYPE_CHECKING:
    from labctl.spec.lab import Lab
    from labctl.tui.view import LabState, SessionView

OVER = "time is over"
_EVERY_S = 2.0
_TAIL_BYTES = 2**18
_HOUR_S = 3600.0


@dataclass(frozen=True)
class Standing:
    """A session that was brought up: its record, its state, and its price in USD an hour."""

    record: SessionRecord
    state: LabState
    price_per_hour_usd: float

    def said(self, now: float) -> str:
        """Return the state in words; what stands beyond its time is told so."""
        return state_words(self.state, is_over=is_over(self.record, now=now))

    def left_s(self, now: float) -> float:
        """Return how many seconds its time to live still is."""
        return max(0.0, self.record.expires_at - now)

    def spent_usd(self, now: float) -> float:
        """Return about what it has cost since it was brought up; nothing but AWS costs."""
        return spent_usd(self.record, self.price_per_hour_usd, now)


def state_words(state: LabState, *, is_over: bool) -> str:
    """Return a state in words: of a lab that is up, whether its time is over."""
    return OVER if is_over and state == "up" else state


def spent_usd(record: SessionRecord, price_per_hour_usd: float, now: float) -> float:
    """Return about what a session has cost since it was brought up, in US dollars."""
    if record.target != "aws":
        return 0.0
    return price_per_hour_usd * max(0.0, now - record.created_at) / _HOUR_S


def lab_price_per_hour_usd(lab: Lab) -> float:
    """Return the rough price of a lab at rest on AWS, in US dollars an hour."""
    from labctl.engine.vocabulary import kinds

    return sum(kinds()[model.kind].price_per_hour_usd(model) for model in lab.resources.values())


class Standings:
    """A thread that looks; `latest` is what it saw, by the session's name.

    `left` are the sessions on which nobody worked while their events file was so long: if the
    events up to there tell of work that goes on, it was stopped in the middle.
    """

    def __init__(self) -> None:
        self.latest: Mapping[str, Standing] = {}
        self.left: Mapping[str, int] = {}
        self.looks = 0  # how often it has looked: a screen knows by it that there is news
        self._state = state_folder()
        self._stop, self._now = threading.Event(), threading.Event()
        self._states: dict[str, tuple[tuple[int, int], TailStates]] = {}
        self._prices: dict[tuple[str, str], float] = {}

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._look, name="standings", daemon=True).start()

    def look_now(self) -> None:
        """Look again without waiting: something has just changed."""
        self._now.set()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._now.set()

    def _look(self) -> None:
        while not self._stop.is_set():
            self._now.clear()
            with suppress(OSError):  # a folder that goes while it is looked at; the next look tells
                self.left = dict(self._left())
                self.latest = {
                    each.name: self._standing(each) for each in known_sessions(self._state)
                }
            self.looks += 1
            self._now.wait(_EVERY_S)

    def _left(self) -> Iterator[tuple[str, int]]:
        for file in sorted((self._state / "sessions").glob("*/events.jsonl")):
            before = file.stat().st_size
            if not is_at_work(file.parent) and file.stat().st_size == before:
                yield file.parent.name, before

    def _standing(self, record: SessionRecord) -> Standing:
        return Standing(record, self._state_of(record.name), self._price(record))

    def _state_of(self, name: str) -> LabState:
        file = session_folder(self._state, name).events_file
        try:
            stat = file.stat()
            mark = (stat.st_size, stat.st_mtime_ns)
            if name not in self._states or self._states[name][0] != mark:
                self._states[name] = (mark, tail_states(file))
        except OSError:
            return "up"
        states = self._states[name][1]
        return states.left if self.left.get(name) == mark[0] else states.at_work

    def _price(self, record: SessionRecord) -> float:
        if record.target != "aws":
            return 0.0
        key = (record.lab_file, str(sorted(record.settings.items())))
        if key not in self._prices:
            from labctl.engine.vocabulary import vocabulary
            from labctl.spec.load import load_lab

            try:
                lab = load_lab(Path(record.lab_file), vocabulary(), settings=record.settings)
                self._prices[key] = lab_price_per_hour_usd(lab)
            except (LabctlError, OSError):  # the file is gone or wrong: its price is not known
                self._prices[key] = 0.0
        return self._prices[key]


class TailStates(NamedTuple):
    """A session's state while someone works on it, and when nobody does."""

    at_work: LabState
    left: LabState


def tail_states(file: Path) -> TailStates:
    """Return what the last events of a session that has a record say of its state."""
    from labctl.tui.parsing import parsed
    from labctl.tui.view import SessionView

    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - _TAIL_BYTES))
        lines = opened.read(_TAIL_BYTES).split(b"\n")
    view = SessionView()
    for at, event in parsed(lines):
        view.fold(at, event)
    at_work = _of_a_record(view)
    view.leave()
    return TailStates(at_work, _of_a_record(view))


def _of_a_record(view: SessionView) -> LabState:
    return "up" if view.shown == "not started" else view.shown
