"""Waits until a machine can be used: as soon as it can, and no longer than it could."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator

from labctl.errors import TransportError
from labctl.transport.base import Machine
from labctl.transport.login import NotYet
from labctl.transport.patience import Patience

AUTH_GRACE_S = 60.0  # an SSH server can be up before the machine has been given our key
_ASK_EVERY_S = 2.0  # asking the target whether the machine is still wanted costs a call


def wait_until_ready(
    machine: Machine,
    attempt: Callable[[], None],
    *,
    deadline_s: float,
    cancelled: threading.Event,
    still_wanted: Callable[[], bool],
    auth_grace_s: float = AUTH_GRACE_S,
) -> None:
    """Return once `attempt` succeeds; it raises `NotYet` for what may still come.

    Raises `TransportError` at the deadline, when the key was refused for longer than the grace,
    or when the machine is no longer wanted; `Interrupted` when cancelled; anything else that
    `attempt` raises passes through at once.
    """
    patience = Patience(deadline_s, cancelled)
    refused_since: float | None = None
    asked = time.monotonic()
    for delay in _delays():
        patience.check()
        try:
            attempt()
            return
        except NotYet as failure:
            last = failure
        now = time.monotonic()
        refused_since = (refused_since or now) if last.phase == "auth" else None
        if refused_since is not None and now - refused_since >= auth_grace_s:
            raise TransportError(last.message, last.hint) from last
        if not patience.left_s:
            raise TransportError(
                f"{machine.name} was not ready within {deadline_s:.3g} s: {last.message}",
                last.hint,
            ) from last
        if now - asked >= _ASK_EVERY_S:
            asked = now
            if not still_wanted():
                raise TransportError(
                    f"{machine.name} went away while it was waited for", "see `labctl status`"
                )
        cancelled.wait(min(delay, patience.left_s))


def _delays() -> Iterator[float]:
    """Yield seconds to wait: short at first, so that a fast machine is used at once, then 1 s."""
    for step in itertools.count():
        yield min(1.0, 0.05 * 1.6 ** min(step, 20)) * random.uniform(0.7, 1.3)
