"""Tries a call again while the refusal is a passing one: throttling, dependencies, lost links."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from labctl.errors import Interrupted, LabctlError
from labctl.targets.failures import classify

Result = TypeVar("Result")
PASSING = ("throttled", "dependency", "transient")
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 20.0
# A group whose interfaces are still being detached is refused for minutes.
GIVE_UP_AFTER_S = 600.0


def with_retries(
    call: Callable[[int], Result],
    *,
    cancelled: threading.Event,
    on_retry: Callable[[int, float, str], None],
    give_up_after_s: float = GIVE_UP_AFTER_S,
) -> Result:
    """Return what `call(attempt)` returns, trying again with jittered back-off.

    Raises the mapped `LabctlError` of a failure that does not pass, and `Interrupted` when it is
    cancelled while it waits.
    """
    began, attempt, delay_s = time.monotonic(), 1, FIRST_DELAY_S
    while True:
        try:
            return call(attempt)
        except LabctlError:
            raise
        except Exception as error:  # the engine's edge: whatever a service's client raises
            failure = classify(error)
            if failure.kind not in PASSING or time.monotonic() - began > give_up_after_s:
                raise failure.error from error
            pause_s = delay_s * random.uniform(0.5, 1.0)
            on_retry(attempt, pause_s, failure.error.message)
            if cancelled.wait(pause_s):
                raise Interrupted("stopped while it waited to try again") from error
        attempt, delay_s = attempt + 1, min(delay_s * 2, LONGEST_DELAY_S)
