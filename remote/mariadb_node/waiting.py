"""Waits for a condition: often at first, then less, and says now and then what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from mariadb_node.telling import say

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5
_SAY_EVERY_S = 10.0

T = TypeVar("T")


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """Return what `look` finds at last; the service manager ends who waits for too long."""
    pause, say_at = _FIRST_PAUSE_S, time.monotonic() + _SAY_EVERY_S
    while (found := look()) is None:
        if time.monotonic() > say_at:
            say("waiting", what=what)
            say_at = time.monotonic() + _SAY_EVERY_S
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)
    return found
