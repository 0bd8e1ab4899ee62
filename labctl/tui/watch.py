"""Looks at a standing session every few seconds, so that it is live when no command runs on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from labctl.errors import LabctlError
from labctl.events import Event
from labctl.session import Session

_EVERY_S = 2.0
_AFTER_TROUBLE_S = 5.0


class Watch:
    """A thread that samples; `take` hands over what it saw, `trouble` says why it cannot."""

    def __init__(self, make_session: Callable[[], Session]) -> None:
        self._make_session = make_session
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._seen: list[tuple[float, Event]] = []
        self.trouble = ""

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def take(self) -> list[tuple[float, Event]]:
        """Return what was seen since the last call, with its unix times."""
        with self._lock:
            seen, self._seen = self._seen, []
        return seen

    def _look(self) -> None:
        session: Session | None = None
        while not self._stop.is_set():
            session = session or self._make_session()  # kept: its clients are dear to make
            pause_s = _EVERY_S
            try:
                if session.is_known:
                    self._sample(session)
                else:
                    session = None
                self.trouble = ""
            except LabctlError as error:
                self.trouble, pause_s, session = error.message, _AFTER_TROUBLE_S, None
            self._stop.wait(pause_s)

    def _sample(self, session: Session) -> None:
        for event in session.samples():
            with self._lock:
                self._seen.append((time.time(), event))
