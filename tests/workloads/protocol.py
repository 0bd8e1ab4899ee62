"""A model of the way of a job: every party takes one step at a time and may die before the next.

What is real here is the results store; queue, table and parties are as small as they can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from labctl.ledger.results import DeadLetter, JobResult, ResultsStore

Step = Literal["look up", "work", "store", "store blindly", "answer", "delete"]
# A worker's steps after it received a message, as remote/job_runtime/worker.py takes them.
AS_BUILT: tuple[Step, ...] = ("look up", "work", "store", "answer", "delete")
RECEIVES = 5


@dataclass
class Message:
    """One message of a queue; `receipt` counts its deliveries, the last of which can delete it."""

    id: str
    job_id: str
    result: JobResult | None = None  # in an answer
    receipt: int = 0
    hidden: bool = False


@dataclass
class Queue:
    """At-least-once, unordered, with a dead-letter queue behind it when `dead` is given."""

    messages: list[Message] = field(default_factory=list)
    dead: list[Message] | None = None
    _sent: int = 0

    def send(self, job_id: str, result: JobResult | None = None) -> None:
        self._sent += 1
        self.messages.append(Message(f"message-{id(self)}-{self._sent}", job_id, result))

    def receive(self, index: int) -> tuple[Message, int] | None:
        """Deliver a visible message with its receipt; one that came too often goes to the dead."""
        visible = [message for message in self.messages if not message.hidden]
        if not visible:
            return None
        message = visible[index % len(visible)]
        if self.dead is not None and message.receipt == RECEIVES:
            self.messages.remove(message)
            self.dead.append(message)
            return None
        message.receipt += 1
        message.hidden = True
        return message, message.receipt

    def show(self, index: int) -> None:
        """Let a message be delivered again: its visibility ran out, or the queue errs."""
        hidden = [message for message in self.messages if message.hidden]
        if hidden:
            hidden[index % len(hidden)].hidden = False

    def delete(self, message: Message, receipt: int) -> None:
        """Delete a message; a receipt from before its latest delivery does nothing."""
        if message.receipt == receipt and message in self.messages:
            self.messages.remove(message)


@dataclass
class Cloud:
    """The two queues and the table, which outlive every party."""

    requests: Queue = field(default_factory=lambda: Queue(dead=[]))
    answers: Queue = field(default_factory=Queue)
    table: dict[str, JobResult] = field(default_factory=dict)


class Worker:
    """Works one message at a time by its order of steps; `crash` forgets all but its name."""

    def __init__(self, name: str, cloud: Cloud, order: Sequence[Step]) -> None:
        self._name, self._cloud, self._order = name, cloud, order
        self._works = 0
        self.crash()

    @property
    def is_at_work(self) -> bool:
        """Whether it holds a message."""
        return self._held is not None

    def crash(self) -> None:
        """Die; what is held comes again when its visibility runs out."""
        self._held: tuple[Message, int] | None = None
        self._result: JobResult | None = None
        self._steps: list[Step] = []

    def take_step(self, index: int) -> None:
        """Receive when idle, else take the next step with what is held."""
        if self._held is None:
            self._held = self._cloud.requests.receive(index)
            self._steps = list(self._order)
            return
        message, receipt = self._held
        step = self._steps.pop(0)
        if step == "work" and message.job_id.startswith("poison"):
            self.crash()
            return
        self._do(step, message, receipt)
        if not self._steps:
            self.crash()

    def _do(self, step: Step, message: Message, receipt: int) -> None:
        job_id, table = message.job_id, self._cloud.table
        match step:
            case "look up" if receipt > 1:
                self._result = table.get(job_id)
            case "work" if self._result is None:
                self._works += 1
                state: Literal["done", "failed"] = "failed" if "bad" in job_id else "done"
                self._result = JobResult(job_id, state, "4", self._name, receipt, self._works)
            case "store" if self._result:
                self._result = table.setdefault(job_id, self._result)
            case "store blindly" if self._result:
                table[job_id] = self._result
            case "answer" if self._result:
                self._cloud.answers.send(job_id, self._result)
            case "delete":
                self._cloud.requests.delete(message, receipt)


class Collector:
    """Receives an answer, records it in the real store, and then deletes it."""

    def __init__(self, cloud: Cloud, results: ResultsStore) -> None:
        self._cloud, self._results = cloud, results
        self.crash()

    def crash(self) -> None:
        """Die; what is held comes again."""
        self._held: tuple[Message, int] | None = None
        self._is_recorded = False

    def take_step(self, index: int) -> None:
        """Receive, record or delete, whatever comes next."""
        if self._held is None:
            self._held = self._cloud.answers.receive(index)
        elif not self._is_recorded:
            assert self._held[0].result is not None
            self._results.record(self._held[0].result)
            self._is_recorded = True
        else:
            self._cloud.answers.delete(*self._held)
            self.crash()

    def settle(self, run: int) -> None:
        """Look for what has no answer in the table and among the dead letters, at the end."""
        dead = self._cloud.requests.dead or []
        self._results.bury(
            DeadLetter(message.id, message.job_id, "receive count exceeded", "") for message in dead
        )
        table = self._cloud.table
        asked = [job_id for job_id, _, _ in self._results.without_result(run)]
        self._results.record_all([table[job_id] for job_id in asked if job_id in table])


class Sender:
    """Notes a job as submitted and then sends it; begun anew, it sends what is not settled."""

    def __init__(self, cloud: Cloud, results: ResultsStore, run: int, jobs: Sequence[str]) -> None:
        self._cloud, self._results, self._run, self._jobs = cloud, results, run, jobs
        self.crash()

    def crash(self) -> None:
        """Die; the next one begins with the first job that is not settled."""
        settled = self._results.settled(self._jobs)
        self._left = [job_id for job_id in self._jobs if job_id not in settled]
        self._is_noted = False

    def take_step(self) -> None:
        """Note the next job, or send the one that is noted."""
        if not self._left:
            return
        if not self._is_noted:
            self._results.submit(self._run, {self._left[0]: "1,2"})
        else:
            self._cloud.requests.send(self._left.pop(0))
        self._is_noted = not self._is_noted

    @property
    def has_ended(self) -> bool:
        """Whether every job was sent."""
        return not self._left
