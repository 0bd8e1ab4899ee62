"""The messages that a worker holds: which wait, which are worked, and that they stay ours."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from job_runtime.queues import Message, Queues


class Held:
    """A thread-safe account of held messages, keyed by message id."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._messages: dict[str, Message] = {}
        self._waiting: set[str] = set()

    def add(self, messages: Sequence[Message]) -> None:
        """Note messages as held, their work not yet begun."""
        with self._changed:
            self._messages |= {message.id: message for message in messages}
            self._waiting |= {message.id for message in messages}

    def begin(self, message: Message) -> bool:
        """Note that the work on a message begins; False when it was given back before."""
        with self._changed:
            if message.id not in self._waiting:
                return False
            self._waiting.remove(message.id)
            self._changed.notify_all()
            return True

    def take_waiting(self) -> list[Message]:
        """Forget and return the messages whose work has not begun."""
        with self._changed:
            taken = [self._messages.pop(message_id) for message_id in self._waiting]
            self._waiting.clear()
            return taken

    def remove(self, messages: Sequence[Message]) -> None:
        """Forget messages that are deleted or returned."""
        with self._changed:
            for message in messages:
                # A later delivery of the same message is another one to hold.
                if self._messages.get(message.id) is message:
                    del self._messages[message.id]
                    self._waiting.discard(message.id)
            self._changed.notify_all()

    def count(self) -> int:
        """Return how many messages are held."""
        return len(self._messages)

    def all(self) -> list[Message]:
        """Return every held message."""
        with self._changed:
            return list(self._messages.values())

    def wait_for_room(self, most_waiting: int, *, most_held: int, stop: threading.Event) -> None:
        """Wait until fewer messages than these wait for work and are held, or until `stop`."""
        with self._changed:
            while not stop.is_set() and (
                len(self._waiting) >= most_waiting or len(self._messages) >= most_held
            ):
                self._changed.wait(0.2)

    def wait_for_only(self, messages: Collection[Message], *, until: threading.Event) -> None:
        """Wait until nothing is held but these messages, or until the event."""
        ids = {message.id for message in messages}
        with self._changed:
            while not until.is_set() and not self._messages.keys() <= ids:
                self._changed.wait(0.2)


def keep_holding(queues: Queues, held: Held, *, visibility_s: int, end: threading.Event) -> None:
    """Extend the hold on everything held, three times within its visibility, until `end`."""
    while not end.wait(visibility_s / 3):
        messages = held.all()
        if messages:
            queues.keep(messages, seconds=visibility_s)
