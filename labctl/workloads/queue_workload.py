"""What workloads over two queues share: the fields of the lab file, and how jobs are sent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, TypeVar

from pydantic import Field

from labctl.ledger.results import DeadLetter
from labctl.spec.fields import ResourceName, StrictModel
from labctl.workloads.base import Answer, Request, Workload, WorkloadContext, WorkloadSummary
from labctl.workloads.queue_jobs import QueueJobs, Road


class QueueModel(StrictModel):
    """The road of the jobs and their number, as a lab file gives them."""

    send: Annotated[
        str, ResourceName(("sqs.queue",)), Field(description="The queue that takes the jobs.")
    ]
    collect: Annotated[
        str, ResourceName(("sqs.queue",)), Field(description="The queue of the answers.")
    ]
    results: Annotated[
        str,
        ResourceName(("dynamodb.table",)),
        Field(description="The table in which workers store each job's one result."),
    ]
    dead: Annotated[
        str | None,
        ResourceName(("sqs.queue",)),
        Field(description="The dead-letter queue of the jobs."),
    ] = None
    jobs: Annotated[int, Field(ge=1, le=1_000_000, description="How many jobs a run sends.")]
    seed: Annotated[int, Field(description="The same seed makes the same jobs.")] = 1


QueueModelT = TypeVar("QueueModelT", bound=QueueModel)


class QueueWorkload(Workload[QueueModelT]):
    """Jobs that go through one queue and are answered on another."""

    @abstractmethod
    def requests(self, context: WorkloadContext, want: QueueModelT) -> Callable[[int], Request]:
        """Make ready what the jobs need and return what makes job number n, always the same."""

    def run(self, context: WorkloadContext, want: QueueModelT) -> WorkloadSummary:
        """Send `jobs` jobs and collect their results."""
        request = self.requests(context, want)
        jobs = QueueJobs(context, _road(want))
        return jobs.run(self.name, jobs=want.jobs, seed=want.seed, request=request)

    def send(
        self,
        context: WorkloadContext,
        want: QueueModelT,
        requests: Iterable[Request],
        *,
        wait: bool,
        timeout_s: float,
    ) -> Iterator[Answer]:
        """Send jobs as they are given; nothing leaves before the first answer is asked for."""
        jobs = QueueJobs(context, _road(want))
        return jobs.send(self.name, requests, wait=wait, timeout_s=timeout_s)

    def dead_letters(self, context: WorkloadContext, want: QueueModelT) -> list[DeadLetter]:
        """Return the jobs that workers gave up on."""
        return QueueJobs(context, _road(want)).dead_letters()


def _road(want: QueueModel) -> Road:
    return Road(want.send, want.collect, want.results, want.dead)
