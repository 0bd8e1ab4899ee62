"""Does the same to many machines at once, and keeps one machine's failure its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from labctl.errors import LabctlError
from labctl.transport.base import Completed, Machine

Result = TypeVar("Result")

OnRole = Callable[[str, str, bytes], Mapping[str, Completed | LabctlError]]
"""Runs a script with this input on the machines of `role`, or on `role.0`; how each ended."""


def no_machines(role: str, script: str, stdin: bytes) -> Mapping[str, Completed | LabctlError]:
    """Run a script on nothing, where there are no machines."""
    return {}


def each(
    machines: Sequence[Machine], fn: Callable[[Machine], Result], *, limit: int = 32
) -> dict[str, Result | LabctlError]:
    """Return by machine name what `fn` returned for it, or the `LabctlError` it raised.

    At most `limit` machines are worked on at a time; the result keeps their order.
    """
    if not machines:
        return {}

    def attempt(machine: Machine) -> Result | LabctlError:
        try:
            return fn(machine)
        except LabctlError as failure:
            return failure

    pool = ThreadPoolExecutor(min(limit, len(machines)), thread_name_prefix="machine")
    try:
        results = list(pool.map(attempt, machines))
    finally:
        # Not waited for: after a Ctrl-C, a machine that hangs must not hold up what follows.
        pool.shutdown(wait=False, cancel_futures=True)
    return dict(zip((machine.name for machine in machines), results, strict=True))
