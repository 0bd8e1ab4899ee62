"""Waits for a condition, never for a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_PAUSE_S = 0.02


def eventually(condition: Callable[[], object], what: str, within_s: float = 30) -> None:
    """Return once the condition is true; fail with its description after the deadline."""
    until = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < until, f"not within {within_s} s: {what}"
        pause.wait(_PAUSE_S)
