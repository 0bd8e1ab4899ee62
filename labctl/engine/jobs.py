"""Runs a lab's workload, sends jobs by hand, and tells what became of every job."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from labctl.engine.machines import run_on_role
from labctl.engine.stage import Stage
from labctl.errors import UsageError
from labctl.ledger.results import DeadLetter, ResultsStore
from labctl.spec.fields import StrictModel
from labctl.workloads.base import (
    NO_JOBS,
    Answer,
    Request,
    Workload,
    WorkloadContext,
    WorkloadSummary,
)
from labctl.workloads.exchange import checked
from labctl.workloads.registry import workload

UNANSWERED_IS_LOST_AFTER_S = 600.0


def run_workload(stage: Stage) -> WorkloadSummary:
    """Send the lab's jobs and collect their results; a lab without a workload has none."""
    if stage.lab.workload is None:
        return NO_JOBS
    chosen, want = _workload(stage)
    with _context(stage) as context:
        return chosen.run(context, want)


def workload_so_far(stage: Stage) -> WorkloadSummary:
    """Return what became so far of the jobs of a run that was stopped; none of them is lost."""
    with ResultsStore(stage.folder.results_file) as results:
        run = results.open_run()
        if run is None:
            return NO_JOBS
        counts = results.counts(run)
        return replace(
            NO_JOBS,
            submitted=counts.submitted,
            done=counts.done,
            failed=counts.failed,
            duplicated=counts.duplicated,
            dead=counts.dead,
            latency_ms=results.latency_ms(run),
        )


def made_requests(
    stage: Stage, typed: Sequence[str], *, preset: bool, length: int | None
) -> list[Request]:
    """Return the jobs to send: the pre-made one, a random one, and those typed.

    Raises `UsageError` for one that cannot be sent: then none of them is.
    """
    chosen, _ = _workload(stage)
    jobs = []
    if preset:
        if chosen.preset is None:
            raise UsageError(f"{chosen.name} has no pre-made job", "type a body")
        jobs.append(Request(chosen.preset))
    if length is not None:
        jobs.append(Request(chosen.random_body(length, random.Random())))
    return jobs + [checked(Request(body)) for body in typed]


def send_requests(
    stage: Stage, requests: Iterable[Request], *, wait: bool, timeout_s: float
) -> Iterator[Answer]:
    """Send jobs and yield what became of each."""
    chosen, want = _workload(stage)
    with _context(stage) as context:
        yield from chosen.send(context, want, requests, wait=wait, timeout_s=timeout_s)


def dead_letters(stage: Stage) -> list[DeadLetter]:
    """Return what lies in the lab's dead-letter queue now."""
    chosen, want = _workload(stage)
    with _context(stage) as context:
        return chosen.dead_letters(context, want)


def _workload(stage: Stage) -> tuple[Workload[Any], StrictModel]:
    if stage.lab.workload is None:
        raise UsageError(f"lab '{stage.lab.name}' has no workload", "labctl show tells what it has")
    want: Any = stage.resolved(stage.lab.workload)
    return workload(want.kind), want


@contextmanager
def _context(stage: Stage) -> Iterator[WorkloadContext]:
    with ResultsStore(stage.folder.results_file) as results:
        yield WorkloadContext(
            target=stage.target,
            session=stage.record.id,
            neighbours=dict(stage.actuals),
            results=results,
            emit=stage.bus.emit,
            cancelled=stage.cancelled,
            on_role=partial(run_on_role, stage),
            deadline_s=UNANSWERED_IS_LOST_AFTER_S,
        )
