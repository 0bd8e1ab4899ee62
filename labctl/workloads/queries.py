"""Workload `queries`: reads and writes through a gatekeeper, and which of them saw old data.

A job is one query. It is done when it was served, failed when it was not; a read that does not
show the last write that was acknowledged is told to be stale. Nothing is asked a second time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from labctl.errors import Interrupted
from labctl.events import JobFinished, JobsSent
from labctl.ledger.results import DeadLetter, JobResult, Run
from labctl.spec.fields import Line, StrictModel
from labctl.transport.gatekeeper import Gatekeeper, Port, ask_gatekeeper
from labctl.workloads.base import (
    Answer,
    Request,
    Workload,
    WorkloadContext,
    WorkloadSummary,
    summary_of,
)

STALE = "stale"  # how the answer of such a read begins
_MARK = "MARK"
_AT_ONCE = 20  # queries of one call over SSH: what is seen of a run is so old
_WRITE_EVERY = 10
_SQL = Annotated[Line, Field(min_length=1, max_length=4000)]


class QueriesModel(StrictModel):
    """Whom to ask, what, and how often; `MARK` in both statements is a text made up for a write."""

    kind: Literal["queries"] = "queries"
    through: Gatekeeper
    port: Port = 8080
    jobs: Annotated[int, Field(ge=1, description="How many queries; each tenth is a write.")]
    modes: Annotated[
        list[Literal["direct-hit", "random", "customized"]],
        Field(min_length=1, description="The modes of the reads, in turns."),
    ] = ["random"]
    write: Annotated[_SQL, Field(description="Writes MARK where the read looks for it.")]
    read: Annotated[_SQL, Field(description="Reads what was written last.")]


class QueriesWorkload(Workload[QueriesModel]):
    """One query after the other, as one client sends them."""

    name = "queries"
    model = QueriesModel

    def run(self, context: WorkloadContext, want: QueriesModel) -> WorkloadSummary:
        """Ask until every job has its result or the time is over."""
        began = time.monotonic()
        run = context.results.begin_run(self.name, purpose="run", jobs=want.jobs, seed=0)
        before = context.results.answered(run.number)
        jobs = {_job_id(context, run, number): number for number in range(want.jobs)}
        settled = context.results.settled(list(jobs))
        left = [each for each in jobs if each not in settled]
        written, took_ms = "", list[float]()
        for some in _groups(left, _AT_ONCE):
            if context.cancelled.is_set():
                raise Interrupted("stopped: the same command goes on with the rest")
            if time.monotonic() - began > context.deadline_s:
                break
            asked = {each: _query(run, jobs[each], want) for each in some}
            context.results.submit(run.number, {each: _text(asked[each]) for each in some})
            answers = _ask(context, want, list(asked.values()))
            for (job_id, query), answer in zip(asked.items(), answers, strict=True):
                if query["mode"] == "write" and answer["status"] == 200:
                    written = query["mark"]
                took_ms.append(answer["ms"])
                _record(context, job_id, _text(query), _result(job_id, query, answer, written))
            context.emit(JobsSent(count=jobs[some[-1]] + 1, total=want.jobs))
        context.results.end_run(run.number)
        seconds = time.monotonic() - began
        return summary_of(
            context.results.counts(run.number),
            before=before,
            latency_ms={f"p{each}": _percentile(took_ms, each) for each in (50, 95)},
            seconds=seconds,
        )

    def send(
        self,
        context: WorkloadContext,
        want: QueriesModel,
        requests: Iterable[Request],
        *,
        wait: bool,
        timeout_s: float,
    ) -> Iterator[Answer]:
        """Ask each as a read in the first mode; there is always an answer at once."""
        run = context.results.begin_run(self.name, purpose="send", jobs=0, seed=0)
        for number, request in enumerate(requests):
            job_id = _job_id(context, run, number)
            context.results.submit(run.number, {job_id: request.body})
            query = {"mode": want.modes[0], "query": request.body, "mark": ""}
            (answer,) = _ask(context, want, [query])
            result = _result(job_id, query, answer, "")
            context.results.record(result)
            yield Answer(
                job_id,
                request.body[:1000],
                result.state,
                result.answer,
                answer["ms"],
                result.worker,
                1,
            )
        context.results.end_run(run.number)

    def dead_letters(self, context: WorkloadContext, want: QueriesModel) -> list[DeadLetter]:
        """Return none: there is no queue."""
        return []


def _job_id(context: WorkloadContext, run: Run, number: int) -> str:
    return f"{context.session}-{run.mark}-{number:06}"


def _query(run: Run, number: int, want: QueriesModel) -> dict[str, str]:
    """Return the query of a job: the first of each ten is a write."""
    mark = f"{run.mark}{number // _WRITE_EVERY:06}"
    if number % _WRITE_EVERY == 0:
        return {"mode": "write", "query": want.write.replace(_MARK, mark), "mark": mark}
    mode = want.modes[number % len(want.modes)]
    return {"mode": mode, "query": want.read.replace(_MARK, mark), "mark": mark}


def _text(query: Mapping[str, str]) -> str:
    return f"{query['mode']}: {query['query']}"


def _ask(
    context: WorkloadContext, want: QueriesModel, queries: list[dict[str, str]]
) -> list[dict[str, Any]]:
    address = context.neighbours[want.through].attributes["address"]
    return ask_gatekeeper(
        context.on_role,
        role=want.through,
        place=f"{address}:{want.port}",
        requests=[{"mode": each["mode"], "query": each["query"]} for each in queries],
    )


def _result(
    job_id: str, query: Mapping[str, str], answer: Mapping[str, Any], written: str
) -> JobResult:
    node, ms = str(answer.get("node", "")), answer["ms"]
    if answer["status"] != 200:
        reason = f"status {answer['status']}: {answer.get('error', '')}"
        return JobResult(job_id, "failed", reason, node, 1, round(ms))
    rows = answer.get("rows")
    fresh = rows is None or not written or any(written in map(str, row) for row in rows)
    seen = f"{len(rows)} rows" if rows is not None else f"{answer.get('changed')} changed"
    say = f"{seen} in {ms:.1f} ms" if fresh else f"{STALE}: the last write is not in it"
    return JobResult(job_id, "done", say, node, 1, round(ms))


def _record(context: WorkloadContext, job_id: str, body: str, result: JobResult) -> None:
    """Record a result and tell of it, if it is the job's first."""
    if context.results.record(result):
        context.emit(
            JobFinished(
                job_id=job_id,
                body=body,
                sent_at=time.time() - result.worked_ms / 1000,
                state=result.state,
                worker=result.worker,
                attempt=1,
                latency_ms=float(result.worked_ms),
                answer=result.answer,
            )
        )


def _percentile(values: list[float], percent: int) -> float:
    """Return a percentile (nearest rank), 0 of none."""
    rank = math.ceil(percent / 100 * len(values))
    return round(sorted(values)[rank - 1], 1) if values else 0.0


def _groups(items: list[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
