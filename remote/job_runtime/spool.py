"""A folder on the local disk, one worker at a time, for what must outlive the process."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterable
from pathlib import Path

_MOST_WORKERS = 64


def claim_folder(spool: Path) -> tuple[Path, int]:
    """Return a folder below `spool` that no live worker uses, and the lock that claims it.

    After a kill the lock is free again, and the next worker finds what the last one left.
    """
    for number in range(_MOST_WORKERS):
        folder = spool / str(number)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return folder, lock
    raise RuntimeError(f"{_MOST_WORKERS} workers share the spool folder already")


class Spool:
    """Lines of text on disk: appended at once, taken away in batches that never change."""

    def __init__(self, folder: Path) -> None:
        self._current = folder / "lines"
        self._folder = folder
        self._lock = threading.Lock()

    def append(self, lines: Iterable[str]) -> None:
        """Add lines; they have left the process when this returns."""
        text = "".join(f"{line}\n" for line in lines)
        with self._lock:
            descriptor = os.open(self._current, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, text.encode())
            finally:
                os.close(descriptor)

    def batches(self) -> list[Path]:
        """Close the current batch and return the files of all that are still here, oldest first."""
        with self._lock:
            left = sorted(self._folder.glob("batch-*"))
            if self._current.exists():
                number = int(left[-1].name.removeprefix("batch-")) + 1 if left else 0
                batch = self._folder / f"batch-{number:09}"
                self._current.rename(batch)
                left.append(batch)
            return left
