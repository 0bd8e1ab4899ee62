"""Reads pages of the session's jobs in a thread, when there is news and not too often."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from labctl.errors import LabctlError
from labctl.ledger.job_pages import JobFilter, JobPage, Place
from labctl.ledger.results import Counts, ResultsStore

PAGE = 200
_EVERY_S = 0.5
_REST = 5  # a look that took a second is followed by so many of rest
_BUSY_S = 5.0
_SHOWN_S = 3.0  # a panel that was not drawn for so long is not seen


@dataclass(frozen=True)
class Wanted:
    """Which page of which jobs."""

    shown: JobFilter = "all"
    text: str = ""
    after: Place | None = None


@dataclass(frozen=True)
class Window:
    """A page as it was read, with how many jobs there are of each state; or what was wrong."""

    wanted: Wanted
    page: JobPage = field(default_factory=JobPage)
    counts: Counts = field(default_factory=Counts)
    error: LabctlError | None = None


class JobWindow:
    """Calls `on_window`, in its thread, with each page that is new; reads only while it is shown.

    Whether there is news it tells from the files' times and sizes: jobs that another labctl sent
    by hand are in no events file. `find_file` says where the results lie; the thread calls it.
    """

    def __init__(self, find_file: Callable[[], Path], on_window: Callable[[Window], None]) -> None:
        self._find_file, self._on_window = find_file, on_window
        self._wake = threading.Event()
        self._ended = False
        self._wanted = Wanted()
        self._shown_at = -math.inf

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._follow, name="jobs", daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._ended = True
        self._wake.set()

    def ask(self, wanted: Wanted) -> None:
        """Read another page, at once."""
        self._wanted = wanted
        self._wake.set()

    def drawn(self) -> None:
        """Note that the panel is on the screen now."""
        was_hidden, self._shown_at = not self._is_shown, time.monotonic()
        if was_hidden:
            self._wake.set()

    @property
    def _is_shown(self) -> bool:
        return time.monotonic() - self._shown_at < _SHOWN_S

    def _follow(self) -> None:
        seen: object = None
        pause_s = _EVERY_S
        while True:
            self._wake.wait(pause_s)
            self._wake.clear()
            if self._ended:
                return
            pause_s = _EVERY_S
            wanted, began = self._wanted, time.monotonic()
            if not self._is_shown or (signs := (wanted, self._signs())) == seen:
                continue
            window = _read(self._find_file, wanted)
            pause_s = max(_EVERY_S, (time.monotonic() - began) * _REST)
            seen = signs if window.error is None else None
            self._on_window(window)

    def _signs(self) -> object:
        """Return what changes when something is written to the results."""
        signs = []
        try:
            file = self._find_file()
            for each in (file, file.with_name(f"{file.name}-wal")):
                with contextlib.suppress(FileNotFoundError):
                    about = each.stat()
                    signs.append((about.st_ino, about.st_mtime_ns, about.st_size))
        except (LabctlError, OSError):
            return None  # reading tells what is wrong
        return signs


def _read(find_file: Callable[[], Path], wanted: Wanted) -> Window:
    try:
        file = find_file()
        if not file.exists():  # looking must not make one
            return Window(wanted)
        with ResultsStore(file, busy_s=_BUSY_S) as store:
            page = store.page(wanted.shown, text=wanted.text, after=wanted.after, limit=PAGE)
            return Window(wanted, page, store.counts())
    except LabctlError as error:
        return Window(wanted, error=error)
    except Exception as error:  # the edge of a thread: told on the screen, not swallowed
        return Window(wanted, error=LabctlError(f"the results cannot be read: {error}"))
