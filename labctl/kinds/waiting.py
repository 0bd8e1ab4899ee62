"""Waits for what a service does in its own time: growing pauses, a deadline, a cancel event."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from labctl.errors import Interrupted, TargetError

Result = TypeVar("Result")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 3.0


def wait_for(
    condition: Callable[[], Result | None],
    what: str,
    *,
    cancelled: threading.Event,
    deadline_s: float = 300.0,
) -> Result:
    """Return the condition's first result that is not None.

    Raises `Interrupted` when cancelled, `TargetError` naming `what` after `deadline_s` seconds.
    """
    began, pause_s = time.monotonic(), _FIRST_PAUSE_S
    while (result := condition()) is None:
        if time.monotonic() - began > deadline_s:
            raise TargetError(
                f"{what}: not after {deadline_s:.0f} s", "run the same command again: it goes on"
            )
        if cancelled.wait(pause_s):
            raise Interrupted(f"stopped while waiting: {what}", "the next command picks up here")
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
    return result
