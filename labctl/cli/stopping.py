"""Ctrl-C: once stops gently and keeps the ledger true, twice leaves at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

INTERRUPTED = 130
_POKES, _POKE_AGAIN_S = 20, 0.1


def stopped_by_signals() -> threading.Event:
    """Return an event that nothing sets: the first SIGINT or SIGTERM is a KeyboardInterrupt.

    For what changes nothing of ours and may run for ever, such as a command on a machine.
    """
    _on_signals(signal.default_int_handler)
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

    _on_signals(stop)
    return cancelled


def _on_signals(stop: Callable[[int, FrameType | None], object]) -> None:
    """Have SIGINT and SIGTERM call this, though the main thread sleeps.

    Python calls it between two steps of the main thread. A signal that comes after the last step
    before a sleep, or that the system hands to another thread, would wait for the sleep's end: one
    press of Ctrl-C in a hundred on a busy machine. So a thread hears of signals too, and wakes the
    main thread with one that does nothing.
    """
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGURG, lambda signum, frame: None)
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_wake_main_thread, args=[heard], daemon=True).start()


def _wake_main_thread(heard: int) -> None:
    main = threading.main_thread().ident
    assert main is not None, "it runs"
    while signals := os.read(heard, 1):
        if signals[0] == signal.SIGURG:  # our own
            continue
        for _ in range(_POKES):  # it may not be asleep yet
            signal.pthread_kill(main, signal.SIGURG)
            time.sleep(_POKE_AGAIN_S)
