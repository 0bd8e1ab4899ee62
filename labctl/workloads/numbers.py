"""Workload `numbers`: lists of integers whose minimum, maximum, average and median come back."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field

from labctl.errors import UsageError
from labctl.ledger.results import DeadLetter
from labctl.spec.fields import ResourceName, StrictModel
from labctl.workloads.base import Answer, Workload, WorkloadContext, WorkloadSummary
from labctl.workloads.queue_jobs import QueueJobs, Road

PRESET = "1,5,22,33,9,0,-15,8,22,100,33,62,90,150,1,2,3"
_LOW, _HIGH = -100, 100
_MOST_VALUES = 10_000
_RUN_VALUES = 50  # the longest list of a run; long enough to work on, short enough to read


class NumbersModel(StrictModel):
    """The workload `numbers`, as a lab file describes it."""

    kind: Literal["numbers"] = "numbers"
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


class NumbersWorkload(Workload[NumbersModel]):
    """Random lists with values in -100..100, of 1 to 50 values in a run."""

    name = "numbers"
    model = NumbersModel
    preset = PRESET

    def run(self, context: WorkloadContext, want: NumbersModel) -> WorkloadSummary:
        """Send `jobs` lists and collect their figures."""

        def body(number: int) -> str:
            rng = random.Random(f"{want.seed}:{number}")
            return self.random_body(rng.randint(1, _RUN_VALUES), rng)

        jobs = QueueJobs(context, _road(want))
        return jobs.run(self.name, jobs=want.jobs, seed=want.seed, body=body)

    def send(
        self,
        context: WorkloadContext,
        want: NumbersModel,
        bodies: Iterable[str],
        *,
        wait: bool,
        timeout_s: float,
    ) -> Iterator[Answer]:
        """Send lists as they are given; nothing leaves before the first answer is asked for."""
        jobs = QueueJobs(context, _road(want))
        return jobs.send(self.name, bodies, wait=wait, timeout_s=timeout_s)

    def dead_letters(self, context: WorkloadContext, want: NumbersModel) -> list[DeadLetter]:
        """Return the lists that workers gave up on."""
        return QueueJobs(context, _road(want)).dead_letters()

    def random_body(self, length: int, rng: random.Random) -> str:
        """Return a list of `length` values in -100..100."""
        if not 1 <= length <= _MOST_VALUES:
            raise UsageError(
                f"a random list has 1 to {_MOST_VALUES:,} values, not {length}",
                "give another number",
            )
        return ",".join(str(rng.randint(_LOW, _HIGH)) for _ in range(length))


def _road(want: NumbersModel) -> Road:
    return Road(want.send, want.collect, want.results, want.dead)
