"""What this labctl does for its screens: each in a thread, and told of when it has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from labctl.tui.operation import Operation

_ALONE = ("up", "run", "bench", "down")
_ANSWER_POLL_S = 0.1

Then = Callable[[object], None]
"""Is called on the screen's loop with what an operation gave."""


@dataclass(frozen=True)
class Begun:
    """An operation on a session, and what follows when it is done."""

    operation: Operation
    session: str  # the name of the session's folder
    then: Then | None = None


@dataclass
class Question:
    """What an operation's thread wants to know before it goes on."""

    say: str
    names: Sequence[str]
    yes: bool = False
    answered: threading.Event = field(default_factory=threading.Event)


class Operations:
    """The operations that run, whichever screen began them: leaving a screen ends none."""

    def __init__(self) -> None:
        self._begun: list[Begun] = []
        self._questions: SimpleQueue[Question] = SimpleQueue()

    def begin(self, operation: Operation, *, session: str, then: Then | None = None) -> None:
        """Start an operation."""
        self._begun.append(Begun(operation, session, then))
        operation.start()

    def running(self, session: str) -> list[Operation]:
        """Return what runs on a session, the oldest first."""
        return [each.operation for each in self._begun if each.session == session]

    def changing(self) -> list[Begun]:
        """Return what runs and brings up or takes down: one does not just leave it."""
        return [each for each in self._begun if each.operation.name in _ALONE]

    def in_the_way_of(self, name: str, session: str) -> Operation | None:
        """Return what must end before another operation on the session may begin."""
        for operation in self.running(session):
            both_alone = operation.name in _ALONE and name in _ALONE
            if operation.name == name or both_alone or "down" in (name, operation.name):
                return operation
        return None

    def take_ended(self) -> list[Begun]:
        """Return those that ended since the last call."""
        ended = [each for each in self._begun if each.operation.ended.is_set()]
        self._begun = [each for each in self._begun if each not in ended]
        return ended

    def take_question(self) -> Question | None:
        """Return the next question that waits for an answer."""
        try:
            return self._questions.get_nowait()
        except Empty:
            return None

    def ask(self, say: str, names: Sequence[str], cancelled: threading.Event) -> bool:
        """Ask on the screen and wait for the answer; called in an operation's thread."""
        question = Question(say, names)
        self._questions.put(question)
        while not question.answered.wait(_ANSWER_POLL_S):
            if cancelled.is_set():
                return False
        return question.yes
