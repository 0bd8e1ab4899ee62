"""Workload `numbers`: lists of integers whose minimum, maximum, average and median come back."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from labctl.errors import UsageError
from labctl.workloads.base import Request, WorkloadContext
from labctl.workloads.queue_workload import QueueModel, QueueWorkload

PRESET = "1,5,22,33,9,0,-15,8,22,100,33,62,90,150,1,2,3"
_LOW, _HIGH = -100, 100
_MOST_VALUES = 10_000
_RUN_VALUES = 50  # the longest list of a run; long enough to work on, short enough to read


class NumbersModel(QueueModel):
    """The workload `numbers`, as a lab file describes it."""

    kind: Literal["numbers"] = "numbers"


class NumbersWorkload(QueueWorkload[NumbersModel]):
    """Random lists with values in -100..100, of 1 to 50 values in a run."""

    name = "numbers"
    model = NumbersModel
    preset = PRESET

    def requests(self, context: WorkloadContext, want: NumbersModel) -> Callable[[int], Request]:
        """Return what makes the list of job number n."""

        def request(number: int) -> Request:
            rng = random.Random(f"{want.seed}:{number}")
            return Request(self.random_body(rng.randint(1, _RUN_VALUES), rng))

        return request

    def random_body(self, length: int, rng: random.Random) -> str:
        """Return a list of `length` values in -100..100."""
        if not 1 <= length <= _MOST_VALUES:
            raise UsageError(
                f"a random list has 1 to {_MOST_VALUES:,} values, not {length}",
                "give another number",
            )
        return ",".join(str(rng.randint(_LOW, _HIGH)) for _ in range(length))
