"""Ctrl-C: once stops gently and keeps the ledger true, twice leaves at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

INTERRUPTED = 130
_TIDYING_S = 3.0


def stopped_by_signals() -> threading.Event:
    """Return an event that nothing sets: the first SIGINT or SIGTERM is a KeyboardInterrupt.

    For what changes nothing of ours and may run for ever, such as a command on a machine.
    """

    def stop(signum: int, frame: FrameType | None) -> None:
        # The interrupt is lost where it meets a destructor, and a library may wait for its own
        # thread without an end: the process goes all the same.
        leave = threading.Timer(_TIDYING_S, os._exit, [INTERRUPTED])
        leave.daemon = True
        leave.start()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    return threading.Event()


def cancelled_by_signals() -> threading.Event:
    """Return an event that SIGINT or SIGTERM sets; a second one ends the process there and then."""
    cancelled = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        if cancelled.is_set():
            os._exit(INTERRUPTED)  # the ledger is synced before each call: nothing to save
        cancelled.set()
        sys.stderr.write(
            "\nstopping: what runs now is finished; press Ctrl-C again to leave at once\n"
        )

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    return cancelled
