"""One run of jobs over two queues: send, collect, watch, and settle what is left at the end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Literal

from labctl.errors import Interrupted
from labctl.events import JobFinished, JobsSent, QueueSampled
from labctl.kinds.sqs_messages import Depth, depth
from labctl.ledger.results import DeadLetter, RecordedJob, Run
from labctl.workloads.base import (
    Answer,
    Request,
    WorkloadContext,
    WorkloadSummary,
    summary_of,
)
from labctl.workloads.collecting import Collector
from labctl.workloads.crew import Crew
from labctl.workloads.exchange import Exchange, checked, exchange
from labctl.workloads.sending import Batch, Sender, full_batches, prompt_batches

_SENDERS = 2
_SAMPLE_S = 1.0
# Services count messages approximately: a queue that looks empty for less may not be.
_VANISHED_AFTER_S = 5.0
_PAGE = 1000
_LOOK_S = 0.5  # another process may record our results: the store is looked at this often


@dataclass(frozen=True)
class Road:
    """The way of the jobs, by lab-file names: two queues, the table, and the dead-letter queue."""

    send: str
    collect: str
    results: str
    dead: str | None


class QueueJobs:
    """One workload's jobs on one road; made for a single call of `run` or `send`."""

    def __init__(self, context: WorkloadContext, road: Road) -> None:
        self._context, self._road = context, road
        self._results = context.results
        self._crew = Crew()
        self._exchange = self._open()
        self._sender = Sender(self._exchange, self._results, self._crew)
        self._collector = Collector(self._exchange, self._results, self._crew)
        self._samples: SimpleQueue[QueueSampled] = SimpleQueue()
        self._seen = 0  # the latest recorded result that was told
        self._dead = 0  # dead letters among the jobs of this run

    def _open(self) -> Exchange:
        return exchange(
            self._context.target,
            self._context.neighbours,
            send=self._road.send,
            collect=self._road.collect,
            results=self._road.results,
            dead=self._road.dead,
            stop=self._crew.stop,
        )

    def run(
        self, workload: str, *, jobs: int, seed: int, request: Callable[[int], Request]
    ) -> WorkloadSummary:
        """Send jobs 0 to `jobs` - 1, which `request` makes, and wait for their results."""
        began = time.monotonic()
        run = self._results.begin_run(workload, purpose="run", jobs=jobs, seed=seed)
        before = self._answered_before(run)
        batches = full_batches((self._job_id(run, n), request(n)) for n in range(jobs))
        if run.resumed:
            batches = self._unsettled(batches)
        with self._at_work():
            self._sender.start(run.number, batches, threads=_SENDERS)
            self._collector.start(
                enough=lambda: self._is_settled(
                    run, jobs=jobs, answered=self._results.answered(run.number)
                )
            )
            self._crew.start(partial(self._watch, run, request))
            self._follow(run, jobs=jobs, before=before, until=began + self._context.deadline_s)
        self._settle(run)
        self._tell(run)
        self._results.end_run(run.number)
        return summary_of(
            self._results.counts(run.number),
            before=before,
            latency_ms=self._results.latency_ms(run.number),
            seconds=time.monotonic() - began,
        )

    def send(
        self, workload: str, requests: Iterable[Request], *, wait: bool, timeout_s: float
    ) -> Iterator[Answer]:
        """Send jobs and yield what becomes of each; nothing is sent before the first is asked."""
        run = self._results.begin_run(workload, purpose="send", jobs=0, seed=0)
        jobs = ((self._job_id(run, n), checked(request)) for n, request in enumerate(requests))
        batches = prompt_batches(jobs, self._crew.stop)
        if not wait:
            for batch in batches:
                self._sender.send(run.number, batch)
                yield from (_unanswered(job_id, job.body, "sent") for job_id, job in batch.items())
            return
        sender = self._sender
        with self._at_work():
            sender.start(run.number, batches, threads=1)
            self._collector.start(
                enough=lambda: (
                    sender.ended.is_set() and self._results.answered(run.number) >= sender.sent
                )
            )
            yield from self._answers(run, timeout_s=timeout_s)
        self._settle(run)
        yield from (_answer(job) for job in self._news(run))
        self._results.end_run(run.number)
        yield from self._unanswered(run)

    def dead_letters(self) -> list[DeadLetter]:
        """Note what is in the dead-letter queue, with any result that was stored all the same."""
        letters = self._exchange.dead_letters()
        self._results.bury(letters)
        self._take_stored([letter.job_id for letter in letters if letter.job_id])
        return letters

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        try:
            with self._crew:
                yield
        finally:
            self._collector.give_strangers_back()

    def _follow(self, run: Run, *, jobs: int, before: int, until: float) -> None:
        """Tell what happens until every job is settled or the time is over."""
        answered, told = before, -1
        while time.monotonic() < until and not self._is_settled(run, jobs=jobs, answered=answered):
            self._wait()
            sent = self._sender.sent
            if sent != told:
                told = sent
                self._context.emit(JobsSent(count=min(before + sent, jobs), total=jobs))
            answered += self._tell(run)
            while not self._samples.empty():
                self._context.emit(self._samples.get())

    def _is_settled(self, run: Run, *, jobs: int, answered: int) -> bool:
        """Whether every job has a result or is a dead letter without one."""
        if answered + self._dead < jobs:
            return False
        # A slow worker may have answered a dead letter since: that job must not count twice.
        self._dead = self._results.counts(run.number).dead
        return answered + self._dead >= jobs

    def _answers(self, run: Run, *, timeout_s: float) -> Iterator[Answer]:
        answered, until = 0, math.inf
        while time.monotonic() < until:
            ended, sent = self._sender.ended.is_set(), self._sender.sent
            for job in self._news(run):
                answered += 1
                yield _answer(job)
            if ended and answered >= sent:
                return
            if ended and until == math.inf:
                until = time.monotonic() + timeout_s
            self._wait()

    def _wait(self) -> None:
        self._crew.wait(_LOOK_S)
        if self._context.cancelled.is_set():
            raise Interrupted("stopped; every job is noted", "the same command goes on from here")

    def _tell(self, run: Run) -> int:
        """Emit what was recorded since the last time and return how much it was."""
        news = self._news(run)
        for job in news:
            result = job.result
            self._context.emit(
                JobFinished(
                    job_id=result.job_id,
                    body=job.body,
                    sent_at=job.sent_at,
                    state=result.state,
                    worker=result.worker,
                    attempt=result.attempt,
                    latency_ms=job.latency_ms,
                    answer=result.answer,
                )
            )
        return len(news)

    def _news(self, run: Run) -> list[RecordedJob]:
        """Return what was recorded since the last time, by whichever process."""
        news: list[RecordedJob] = []
        while page := self._results.since(run.number, self._seen, limit=_PAGE):
            news += page
            self._seen = page[-1].seq
        return news

    def _watch(self, run: Run, request: Callable[[int], Request]) -> None:
        """Sample the queues about every second; note dead letters, send again what vanished."""
        looked_at, quiet_since, patience_s = 0, time.monotonic(), _VANISHED_AFTER_S
        while not self._crew.stop.wait(_SAMPLE_S):
            held = {name: self._sample(name) for name in self._queues()}
            visible = held[self._road.dead].visible if self._road.dead else 0
            if visible != looked_at:
                looked_at = len(self.dead_letters()) if visible else 0
                self._dead = self._results.counts(run.number).dead
                self._crew.tell()
            on_the_way = held[self._road.send], held[self._road.collect]
            if not self._sender.ended.is_set() or any(map(_holds_messages, on_the_way)):
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > patience_s:
                self._send_again(run, request)
                quiet_since, patience_s = time.monotonic(), patience_s * 2

    def _queues(self) -> list[str]:
        return [name for name in (self._road.send, self._road.collect, self._road.dead) if name]

    def _send_again(self, run: Run, request: Callable[[int], Request]) -> None:
        """Send what has no result although no queue holds anything: the endpoint lost it.

        A job that is done twice all the same keeps its one result, by the condition on its id.
        """
        self._take_stored(self._results.unanswered(run.number))
        for batch in full_batches(
            (job_id, request(_number(job_id))) for job_id in self._results.unanswered(run.number)
        ):
            self._exchange.send(batch)

    def _sample(self, name: str) -> Depth:
        read = partial(depth, self._context.target, self._context.neighbours[name])
        found = self._exchange.patiently(read)
        self._samples.put(
            QueueSampled(
                queue=name,
                visible=found.visible,
                in_flight=found.in_flight,
                delayed=found.delayed,
            )
        )
        return found

    def _answered_before(self, run: Run) -> int:
        """Return how many jobs of a resumed run had results when it was taken up.

        What was stored meanwhile is recorded after they were counted: it is news of this run.
        """
        if not run.resumed:
            return 0
        latest = self._results.find(run=run.number, limit=1)
        self._seen = latest[0].seq if latest else 0
        counts = self._results.counts(run.number)
        self._dead = counts.dead
        self._take_stored(self._results.unanswered(run.number))
        return counts.done + counts.failed

    def _unsettled(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield what a killed run left: workers meet a job twice, the table keeps one result."""
        for batch in batches:
            settled = self._results.settled(list(batch))
            left = {job_id: job for job_id, job in batch.items() if job_id not in settled}
            if left:
                yield left

    def _settle(self, run: Run) -> None:
        """Look once more for what has no answer: in the table and among the dead letters."""
        if self._results.unanswered(run.number):
            self._take_stored(self._results.unanswered(run.number))
            self.dead_letters()

    def _take_stored(self, job_ids: Sequence[str]) -> None:
        for found in self._exchange.stored(job_ids):
            self._results.record_all(found)

    def _unanswered(self, run: Run) -> Iterator[Answer]:
        counts = self._results.counts(run.number)
        if counts.dead or counts.lost:
            for job_id, body, is_dead in self._results.without_result(run.number):
                yield _unanswered(job_id, body, "dead" if is_dead else "lost")

    def _job_id(self, run: Run, number: int) -> str:
        return f"{self._context.session}-{run.mark}-{number:06}"


def _holds_messages(held: Depth) -> bool:
    return bool(held.visible or held.in_flight or held.delayed)


def _number(job_id: str) -> int:
    return int(job_id.rpartition("-")[2])


def _answer(job: RecordedJob) -> Answer:
    result = job.result
    return Answer(
        job_id=result.job_id,
        body=job.body,
        state=result.state,
        text=result.answer,
        latency_ms=job.latency_ms,
        worker=result.worker,
        attempt=result.attempt,
    )


def _unanswered(job_id: str, body: str, state: Literal["dead", "lost", "sent"]) -> Answer:
    return Answer(
        job_id=job_id, body=body, state=state, text="", latency_ms=0.0, worker="", attempt=0
    )
