"""Ends local instances at their own deadlines, as the timer of a real machine would.

The deadline lies on the instance's disk, so it outlives a stop of the cloud: one that passed
meanwhile ends the instance soon after the next start.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from labctl.cloud.beneath import read_bytes

ENDS_AT = "var/lib/labctl/ends-at"  # below the instance's root; unix seconds, as text
_LOOK_EVERY_S = 1.0


def passed_deadline(root: Path, *, now: float) -> bool:
    """Tell whether the instance with this root should have ended; a file that is odd is none."""
    try:
        return float(read_bytes(root, ENDS_AT, limit=100)) <= now
    except (OSError, ValueError):
        return False


async def keep_deadlines(
    running: Callable[[], Iterable[tuple[str, Path]]], end: Callable[[str], Awaitable[object]]
) -> None:
    """Have every running instance, given by id and root, ended once its time is over; for ever.

    It is asked for again until it has an effect: the emulator may be away just then.
    """
    while True:
        now = time.time()  # of the wall: a laptop's sleep counts
        for number, root in running():
            if passed_deadline(root, now=now):
                await end(number)
        await asyncio.sleep(_LOOK_EVERY_S)
