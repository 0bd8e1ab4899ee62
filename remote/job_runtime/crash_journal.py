"""Remembers across a kill of the process which messages were being worked when it died.

A message that was worked at several deaths is the likely cause; it is then worked last and
alone, so that its neighbours do not use up their deliveries beside it.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from pathlib import Path

_REMEMBERED = 1000
_LONGEST_BYTES = 2**20


class CrashJournal:
    """Counts, for each message id, the deaths of this worker during its work."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._deaths = _deaths_so_far(path)
        self._file = self._begin()

    def deaths(self, message_id: str) -> int:
        """Return how often the worker died while it worked this message."""
        return self._deaths[message_id]

    def begin(self, message_id: str) -> None:
        """Note that the work on a message begins."""
        with self._lock:
            self._running.add(message_id)
            self._write("+", message_id)

    def end(self, message_id: str) -> None:
        """Note that the work on a message ended, well or not."""
        with self._lock:
            self._running.discard(message_id)
            self._deaths.pop(message_id, None)
            if self._file.tell() > _LONGEST_BYTES:
                self._file.close()
                self._file = self._begin()
            else:
                self._write("-", message_id)

    def forget_running(self) -> None:
        """Note that the process ends in order: what still runs is not the cause of its end."""
        with self._lock:
            self._running.clear()
            self._file.close()
            self._file = self._begin()

    def _write(self, sign: str, message_id: str) -> None:
        # Unbuffered: what the kernel has survives a kill of the process.
        self._file.write(f"{sign} {message_id}\n".encode())

    def _begin(self) -> _Unbuffered:
        lines = [f"{deaths} {name}" for name, deaths in self._deaths.most_common(_REMEMBERED)]
        lines += [f"+ {message_id}" for message_id in self._running]
        scratch = self._path.with_suffix(".new")
        scratch.write_text("".join(f"{line}\n" for line in lines))
        scratch.replace(self._path)
        return _Unbuffered(self._path)


class _Unbuffered:
    """A file that is only appended to, each write given to the kernel at once."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._size = path.stat().st_size

    def write(self, data: bytes) -> None:
        self._size += os.write(self._descriptor, data)

    def tell(self) -> int:
        return self._size

    def close(self) -> None:
        os.close(self._descriptor)


def _deaths_so_far(path: Path) -> Counter[str]:
    deaths: Counter[str] = Counter()
    running: set[str] = set()
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return deaths
    for line in lines:
        sign, _, message_id = line.partition(" ")
        if sign == "+":
            running.add(message_id)
        elif sign == "-":
            running.discard(message_id)
        elif sign.isdecimal() and len(sign) < 10:
            deaths[message_id] += int(sign)
        # Anything else is the half line that a killed process left.
    deaths.update(running)
    return deaths
