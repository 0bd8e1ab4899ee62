"""Check `queue`: how many messages a queue holds."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from pydantic import Field, model_validator

from labctl.checks.base import Check, CheckContext, Verdict, compare
from labctl.kinds.sqs_messages import depth
from labctl.spec.fields import ResourceName, StrictModel

Figure = Annotated[int | None, Field(ge=0)]


class QueueModel(StrictModel):
    """The queue and the numbers of its messages; what is not given is not compared."""

    name: Annotated[
        str, ResourceName(("sqs.queue",)), Field(description="A queue of this lab, by its name.")
    ]
    visible: Figure = None
    in_flight: Figure = None
    delayed: Figure = None

    @model_validator(mode="after")
    def _asks_something(self) -> QueueModel:
        if not self.model_fields_set & {"visible", "in_flight", "delayed"}:
            raise ValueError("give at least one figure, such as visible: 0")
        return self


class QueueCheck(Check[QueueModel]):
    """Compares the depth of a queue; SQS counts approximately, so it is asked again."""

    name = "queue"
    model = QueueModel

    def holds(self, context: CheckContext, want: QueueModel) -> Verdict:
        """Ask the queue for its depth."""
        queue = context.neighbours.get(want.name)
        if queue is None:
            return Verdict(False, f"{want.name} is not up")
        found = dataclasses.asdict(depth(context.target, queue))
        verdict = compare(found, want.model_dump(exclude={"name"}))
        return Verdict(verdict.ok, f"{want.name}: {verdict.say}")
