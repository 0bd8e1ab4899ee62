"""Follows a session's events file: whoever writes it, this labctl or another, is shown alike."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from labctl.events import Event, from_record

_LOOK_S = 0.2
_READ_BYTES = 2**20
_LONGEST_LINE = 2**20
_BACKLOG_BYTES = 8 * 2**20  # of an old session, so much is read again


class Feed:
    """Hands over what was appended to a file since the last time; `take` never waits.

    Reading happens in a thread of its own, so that a slow disk holds up nobody.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._read: list[tuple[float, Event]] = []
        self._thread = threading.Thread(target=self._follow, name="feed", daemon=True)

    def start(self) -> None:
        """Begin to read, from the beginning or, of a long file, its last part."""
        self._thread.start()

    def stop(self) -> None:
        """Read no further."""
        self._stop.set()

    def take(self) -> list[tuple[float, Event]]:
        """Return the events that were read since the last call, with their unix times."""
        with self._lock:
            taken, self._read = self._read, []
        return taken

    def _follow(self) -> None:
        place, rest = self._beginning(), b""
        while not self._stop.is_set():
            data = self._after(place)
            place += len(data)
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                rest = b""
            events = list(parsed(lines))
            if events:
                with self._lock:
                    self._read += events
            if len(data) < _READ_BYTES:
                self._stop.wait(_LOOK_S)

    def _beginning(self) -> int:
        try:
            return max(0, self._path.stat().st_size - _BACKLOG_BYTES)
        except OSError:
            return 0

    def _after(self, place: int) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(place)
                return file.read(_READ_BYTES)
        except OSError:  # not there yet, or for a moment
            return b""


def parsed(lines: Iterable[bytes]) -> Iterator[tuple[float, Event]]:
    """Yield the events of lines, with their times; what is none is passed over."""
    for line in lines:
        if not line:
            continue
        try:
            record = json.loads(line)
            at = float(record.get("at", 0.0))
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        event = from_record(record)
        if event is not None:
            yield at, event
