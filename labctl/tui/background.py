"""Does what may block in a thread that nobody waits for, and tells the widget what came of it."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

from textual._context import NoActiveAppError
from textual.message_pump import MessagePump

from labctl.errors import LabctlError

T = TypeVar("T")


def in_background(
    widget: MessagePump,
    work: Callable[[], T],
    then: Callable[[T | LabctlError], None],
    *,
    name: str,
) -> None:
    """Begin `work` in a daemon thread; `then` gets its result on the screen's own loop.

    A widget that is gone by then is told nothing.
    """

    def run() -> None:
        result: T | LabctlError
        try:
            result = work()
        except LabctlError as error:
            result = error
        except Exception as error:  # the edge of a thread: told on the screen, not swallowed
            from labctl.targets.failures import classify

            result = classify(error).error
        tell(widget, then, result)

    context = contextvars.copy_context()  # by it the widget finds its app
    threading.Thread(target=context.run, args=(run,), name=name, daemon=True).start()


def tell(widget: MessagePump, callback: Callable[[T], None], value: T) -> None:
    """Call back on the screen's loop, from any thread; too late is fine."""
    with contextlib.suppress(RuntimeError, NoActiveAppError):  # the loop has ended
        widget.call_later(callback, value)
