"""Check `jobs`: how many jobs of the latest run were answered, failed, lost."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from pydantic import Field, model_validator

from labctl.checks.base import Check, CheckContext, Verdict, compare
from labctl.spec.fields import StrictModel

Figure = Annotated[int | None, Field(ge=0)]


class JobsModel(StrictModel):
    """The figures to compare; what is not given is not compared."""

    submitted: Figure = None
    done: Figure = None
    failed: Figure = None
    dead: Figure = None
    lost: Figure = None
    duplicated: Figure = None

    @model_validator(mode="after")
    def _asks_something(self) -> JobsModel:
        if not self.model_fields_set:
            raise ValueError("give at least one figure, such as lost: 0")
        return self


class JobsCheck(Check[JobsModel]):
    """Compares the recorded results of the latest run; jobs sent by hand do not count."""

    name = "jobs"
    model = JobsModel

    def holds(self, context: CheckContext, want: JobsModel) -> Verdict:
        """Count the jobs of the latest run."""
        run = context.results.last_run()
        if run is None:
            return Verdict(False, "no jobs were sent yet")
        counts = dataclasses.asdict(context.results.counts(run))
        return compare(counts, want.model_dump())
