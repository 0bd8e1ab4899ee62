"""What facades tell of credentials beside the session's events: gathered for one screen."""

from __future__ import annotations

from queue import Empty, SimpleQueue

from labctl import events as e
from labctl.tui.keys_view import KeysEvent

_MOST_TAKEN = 100


class Told:
    """A sink for facades whose events no file keeps; it takes those of credentials only."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[float, e.Event]] = SimpleQueue()

    def __call__(self, at: float, event: e.Event) -> None:
        """Take an event, in any thread."""
        if isinstance(event, KeysEvent):
            self._queue.put((at, event))

    def take(self) -> list[tuple[float, e.Event]]:
        """Return what was told since the last call; not too much at once."""
        taken: list[tuple[float, e.Event]] = []
        try:
            while len(taken) < _MOST_TAKEN:
                taken.append(self._queue.get_nowait())
        except Empty:
            pass
        return taken
