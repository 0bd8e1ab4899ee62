"""What a workload is: the jobs it makes, how it sends them, and what it says of their results."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar

from labctl.errors import UsageError
from labctl.events import Event
from labctl.kinds.base import Actual
from labctl.ledger.results import Counts, DeadLetter, ResultsStore
from labctl.spec.fields import StrictModel
from labctl.targets.base import Target
from labctl.transport.parallel import OnRole, no_machines

Model = TypeVar("Model", bound=StrictModel)


@dataclass(frozen=True)
class WorkloadContext:
    """What a workload may use: a session's resources, its results, and how long it may take."""

    target: Target
    session: str  # the session's id; part of every job's id
    neighbours: Mapping[str, Actual]  # the lab's resources by lab-file name
    results: ResultsStore
    emit: Callable[[Event], None]  # called from the thread that runs the workload only
    cancelled: threading.Event
    deadline_s: float  # seconds from the start of a run until what is unanswered counts as lost
    on_role: OnRole = no_machines  # runs a script on the machines of a role


@dataclass(frozen=True)
class WorkloadSummary:
    """How a run ended; latency from sent to recorded, by percentile ("p50", "p95")."""

    submitted: int
    done: int
    failed: int
    lost: int
    duplicated: int
    dead: int
    jobs_per_s: float
    latency_ms: Mapping[str, float]
    seconds: float


def summary_of(
    counts: Counts, *, before: int, latency_ms: Mapping[str, float], seconds: float
) -> WorkloadSummary:
    """Return how a run ended, of whose jobs `before` had a result when it was taken up."""
    return WorkloadSummary(
        submitted=counts.submitted,
        done=counts.done,
        failed=counts.failed,
        lost=counts.lost,
        duplicated=counts.duplicated,
        dead=counts.dead,
        jobs_per_s=round((counts.done + counts.failed - before) / seconds, 1),
        latency_ms=latency_ms,
        seconds=round(seconds, 3),
    )


NO_JOBS = WorkloadSummary(
    submitted=0,
    done=0,
    failed=0,
    lost=0,
    duplicated=0,
    dead=0,
    jobs_per_s=0.0,
    latency_ms={"p50": 0.0, "p95": 0.0},
    seconds=0.0,
)


@dataclass(frozen=True)
class Request:
    """A job as it is sent: its body, and texts that travel beside it as message attributes."""

    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What became of a job that was sent by hand; `body` and `text` are not yet harmless.

    `sent`: nobody waited for the answer; `lost`: none came in time; `dead`: workers gave it up.
    """

    job_id: str
    body: str  # what was sent, at most the first thousand characters
    state: Literal["done", "failed", "dead", "lost", "sent"]
    text: str
    latency_ms: float
    worker: str
    attempt: int


class Workload(ABC, Generic[Model]):
    """One kind of job. Instances are stateless; errors are `LabctlError`s."""

    name: ClassVar[str]  # "numbers"
    model: ClassVar[type[StrictModel]]
    preset: ClassVar[str | None] = None  # the body of the lab's pre-made job

    @abstractmethod
    def run(self, context: WorkloadContext, want: Model) -> WorkloadSummary:
        """Send the jobs and collect their results; goes on with a run that was killed.

        Raises `Interrupted` when cancelled; the same call later picks up.
        """

    @abstractmethod
    def send(
        self,
        context: WorkloadContext,
        want: Model,
        requests: Iterable[Request],
        *,
        wait: bool,
        timeout_s: float,
    ) -> Iterator[Answer]:
        """Send jobs and yield what became of each, in the order in which it is known.

        The requests are taken one by one as they come. `timeout_s` counts from the last one sent.
        """

    @abstractmethod
    def dead_letters(self, context: WorkloadContext, want: Model) -> list[DeadLetter]:
        """Return the dead letters that are in the queue now, left where they are, and note them."""

    def random_body(self, length: int, rng: random.Random) -> str:
        """Return a random body of a length; its unit is the workload's own."""
        raise UsageError(f"{self.name} has no random jobs", "type a body")
