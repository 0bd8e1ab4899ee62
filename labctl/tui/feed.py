"""Follows a session's events file: whoever writes it, this labctl or another, is shown alike."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from labctl.events import Event
from labctl.tui.parsing import parsed

_LOOK_S = 0.2
_READ_BYTES = 2**20
_MARK_BYTES = 64  # before the place where reading ended: inodes and sizes come again, these do not
_LONGEST_LINE = 2**20
_BACKLOG_BYTES = 8 * 2**20  # of an old session, so much is read again whole
_MOST_WAITING = 20_000  # events that nobody took: then reading waits
_MOST_TAKEN = 1000  # at once, so that folding them never holds up a key
# What a long run has thousands of. Before the backlog only the rest is read: what stands and what
# went wrong. A name cannot hide in a text, for JSON escapes the quotation marks there.
_IN_BULK = (b'"event": "JobFinished"', b'"event": "JobsSent"', b'"event": "QueueSampled"')
_HEAD_OF_LINE = 120


class Feed:
    """Hands over what was appended to a file since the last time; `take` never waits.

    Reading happens in a thread of its own, so that a slow disk holds up nobody. A file that was
    replaced or cut is read from its beginning.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._read: list[tuple[float, Event]] = []
        self._place = 0
        self._thread = threading.Thread(target=self._follow, name="feed", daemon=True)

    def start(self) -> None:
        """Begin to read from the beginning; of a long file's head, only what is not in bulk."""
        self._thread.start()

    def stop(self) -> None:
        """Read no further."""
        self._stop.set()

    def take(self) -> list[tuple[float, Event]]:
        """Return the oldest events that were not yet taken, with their unix times; not too many."""
        with self._lock:
            taken, self._read = self._read[:_MOST_TAKEN], self._read[_MOST_TAKEN:]
        return taken

    @property
    def taken_to(self) -> int:
        """How many bytes of the file all taken events are; -1 while some wait to be taken."""
        with self._lock:
            return -1 if self._read else self._place

    def _follow(self) -> None:
        tail = _Tail(self._path)
        while not self._stop.is_set():
            if self._is_full():
                self._stop.wait(_LOOK_S)
                continue
            lines = tail.lines()
            events = list(parsed(lines))
            with self._lock:
                self._read += events
                self._place = tail.place
            if tail.at_end:
                self._stop.wait(_LOOK_S)

    def _is_full(self) -> bool:
        with self._lock:
            return len(self._read) >= _MOST_WAITING


class _Tail:
    """The whole lines of a file that grows, piece by piece."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin(size=0)

    def _begin(self, *, size: int) -> None:
        self.place, self._mark = 0, b""
        self._rest, self._too_long = b"", False
        self._whole_from = max(0, size - _BACKLOG_BYTES)
        self.at_end = True

    def lines(self) -> list[bytes]:
        """Return the lines that were completed since the last call; none where no file is."""
        try:
            with self._path.open("rb") as file:
                if self.place == 0 or not self._is_where_it_was(file):
                    self._begin(size=os.fstat(file.fileno()).st_size)
                    file.seek(0)
                data = file.read(_READ_BYTES)
        except OSError:  # not there yet, or for a moment
            data = b""
        sparse = self.place < self._whole_from
        self.place += len(data)
        self._mark = (self._mark + data)[-_MARK_BYTES:]
        self.at_end = len(data) < _READ_BYTES
        lines = self._completed(data)
        return list(_not_in_bulk(lines)) if sparse else lines

    def _is_where_it_was(self, file: BinaryIO) -> bool:
        """Go to where reading ended; False when other bytes lead there: it is another file."""
        file.seek(self.place - len(self._mark))
        return file.read(len(self._mark)) == self._mark

    def _completed(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines and self._too_long:  # the end of a line whose beginning was thrown away
            lines, self._too_long = lines[1:], False
        if len(self._rest) > _LONGEST_LINE:
            self._rest, self._too_long = b"", True
        return lines


def _not_in_bulk(lines: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        head = line[:_HEAD_OF_LINE]
        if not any(name in head for name in _IN_BULK):
            yield line
