"""The threads of one run: started together, stopped together, the first error kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

_JOIN_S = 5.0


class Crew:
    """Daemon threads that work until `stop` is set; leaving the context stops and joins them."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._news = threading.Event()
        self._threads: list[threading.Thread] = []
        self._error: Exception | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Run `work` in a thread of its own; an error in it stops the crew."""

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # the outermost edge of a thread: handed to the caller
                self._error = self._error or error
                self.stop.set()
            self._news.set()

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()

    def tell(self) -> None:
        """Wake the thread that waits for news."""
        self._news.set()

    def wait(self, timeout_s: float) -> None:
        """Wait for news from a thread; raise the error that ended one."""
        self._news.wait(timeout_s)
        self._news.clear()
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop.set()
        until = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
