"""Plays the events of a file again, in the time that they took or faster; there is no session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from labctl.errors import UsageError
from labctl.events import Event
from labctl.paths import state_folder
from labctl.tui.parsing import parsed

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0, 100.0)
AT_ONCE = 0.0

_MOST_AT_A_TIME = 1000  # so that even a long file played at once never holds up a key
_LONGEST_SILENCE_S = 30.0  # a night between two commands is not sat through
_LONGEST_LINE = 2**20
_LOOKED_THROUGH = 8 * 2**20  # bytes without a single event: then it is no file of events


class Player:
    """Gives events when their time has come; `speed` is how many times faster, 0 is at once."""

    def __init__(
        self,
        events: Iterable[tuple[float, Event]],
        *,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.speed, self.paused = speed, False
        self._events, self._clock = iter(events), clock
        self._next = next(self._events, None)
        self._ticked = clock()
        self.at = self._next[0] if self._next else 0.0  # how far it is, as a time of the session

    @property
    def has_ended(self) -> bool:
        """Whether every event was given."""
        return self._next is None

    def take(self) -> list[tuple[float, Event]]:
        """Return the events that are due; not more at a time than a screen can fold."""
        ticked = self._clock()
        passed_s, self._ticked = ticked - self._ticked, ticked
        if self.paused:
            return []
        self._advance(passed_s)
        due: list[tuple[float, Event]] = []
        while self._next is not None and len(due) < _MOST_AT_A_TIME and self._is_due(self._next[0]):
            due.append(self._next)
            self.at = max(self.at, self._next[0]) if self.speed == AT_ONCE else self.at
            self._next = next(self._events, None)
        return due

    def toggle(self) -> None:
        """Pause, or go on."""
        self.paused = not self.paused

    def faster(self) -> None:
        """Take the next higher speed; beyond the highest there is at once."""
        if self.speed != AT_ONCE:
            self.speed = next((each for each in SPEEDS if each > self.speed), AT_ONCE)

    def slower(self) -> None:
        """Take the next lower speed."""
        below = [each for each in SPEEDS if each < self.speed or self.speed == AT_ONCE]
        self.speed = below[-1] if below else self.speed

    def _is_due(self, at: float) -> bool:
        return self.speed == AT_ONCE or at <= self.at

    def _advance(self, passed_s: float) -> None:
        if self._next is None:
            return
        self.at = max(self.at, self._next[0] - _LONGEST_SILENCE_S) + passed_s * self.speed


def read_events(path: Path) -> Iterator[tuple[float, Event]]:
    """Return the events of a file, read as they are asked for; `UsageError` if it holds none."""
    hint = f"a session's are in {state_folder() / 'sessions' / 'NAME' / 'events.jsonl'}"
    if not path.is_file():
        raise UsageError(f"{path} is no file of events", hint)
    events = _events_of(path)
    try:
        first = next(events, None)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint) from error
    if first is None:
        raise UsageError(f"{path} is no file of events", hint)
    return chain([first], events)


def _events_of(path: Path) -> Iterator[tuple[float, Event]]:
    found = False
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE):
            for event in parsed([line]):
                found = True
                yield event
            if not found and file.tell() > _LOOKED_THROUGH:
                return
