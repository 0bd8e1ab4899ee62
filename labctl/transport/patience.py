"""How long a wait may last, and how a cancelled one ends: every wait on a machine goes by it."""

from __future__ import annotations

import threading
import time

from labctl.errors import Interrupted

_GLANCE_S = 0.05  # how often a wait looks whether it was cancelled


class Patience:
    """Until when a step may last, and whether the user called it off."""

    def __init__(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        self._until = time.monotonic() + seconds
        self._cancelled = cancelled

    @property
    def left_s(self) -> float:
        """Seconds that are left, never below zero."""
        return max(0.0, self._until - time.monotonic())

    def check(self) -> None:
        """Raise `Interrupted` when the user called it off."""
        if self._cancelled is not None and self._cancelled.is_set():
            raise Interrupted("stopped while waiting for a machine", "run the command again")

    def waits_for(self, done: threading.Event) -> bool:
        """Return True once `done` is set, False when no time is left."""
        while not done.wait(min(_GLANCE_S, self.left_s)):
            self.check()
            if not self.left_s:
                return False
        return True

    def takes(self, lock: threading.Lock | threading.Semaphore) -> bool:
        """Return True once the lock is taken, False when no time is left."""
        while not lock.acquire(timeout=min(_GLANCE_S, self.left_s)):
            self.check()
            if not self.left_s:
                return False
        return True

    def pause(self, seconds: float) -> bool:
        """Return True after some (few) seconds, False when no time is left."""
        threading.Event().wait(min(seconds, self.left_s))
        self.check()
        return self.left_s > 0
