"""Sends jobs in batches from several threads, each noted as submitted before it leaves."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Mapping

from labctl.ledger.results import ResultsStore
from labctl.workloads.base import Request
from labctl.workloads.crew import Crew
from labctl.workloads.exchange import BATCH, MESSAGE_BYTES, Exchange, checked, request_bytes

Batch = Mapping[str, Request]  # by job id
_READ_AHEAD = 100
_LOOK_S = 0.2


def full_batches(jobs: Iterable[tuple[str, Request]]) -> Iterator[Batch]:
    """Yield jobs (id and request) in batches as large as the queue takes."""
    batch: dict[str, Request] = {}
    filled = 0
    for job_id, request in jobs:
        size = request_bytes(checked(request))
        if batch and (len(batch) == BATCH or filled + size > MESSAGE_BYTES):
            yield batch
            batch, filled = {}, 0
        batch[job_id] = request
        filled += size
    if batch:
        yield batch


def prompt_batches(jobs: Iterable[tuple[str, Request]], stop: threading.Event) -> Iterator[Batch]:
    """Yield jobs in batches as they come: one that is typed does not wait for nine others."""
    ahead: queue.Queue[tuple[str, Request] | Exception | None] = queue.Queue(_READ_AHEAD)

    def read() -> None:
        try:
            for job in jobs:
                ahead.put(job)
            ahead.put(None)
        except Exception as error:  # the outermost edge of a thread: raised where batches are taken
            ahead.put(error)

    threading.Thread(target=read, daemon=True).start()
    ready: list[tuple[str, Request]] = []
    while not stop.is_set():
        try:
            job = ahead.get(block=not ready, timeout=_LOOK_S)
        except queue.Empty:
            yield from full_batches(ready)
            ready = []
            continue
        if isinstance(job, tuple):
            ready.append(job)
        if len(ready) == BATCH or not isinstance(job, tuple):
            yield from full_batches(ready)
            ready = []
        if isinstance(job, Exception):
            raise job
        if job is None:
            return


class Sender:
    """Sends batches from as many threads as call `work`; `sent` and `ended` say how far it is."""

    def __init__(self, exchange: Exchange, results: ResultsStore, crew: Crew) -> None:
        self._exchange, self._results, self._crew = exchange, results, crew
        self._lock = threading.Lock()  # held while the next batch is made, or waited for
        self._counting = threading.Lock()
        self._at_work = 0
        self.sent = 0
        self.ended = threading.Event()

    def start(self, run: int, batches: Iterator[Batch], *, threads: int) -> None:
        """Begin to send the batches of a run."""
        self._at_work = threads
        for _ in range(threads):
            self._crew.start(lambda: self._work(run, batches))

    def send(self, run: int, batch: Batch) -> None:
        """Note one batch as submitted and send it."""
        self._exchange.refuse_too_long(batch)
        self._results.submit(run, {job_id: request.body for job_id, request in batch.items()})
        self._exchange.send(batch)

    def _work(self, run: int, batches: Iterator[Batch]) -> None:
        while not self._crew.stop.is_set():
            with self._lock:
                batch = next(batches, None)
            if batch is None:
                break
            self.send(run, batch)
            with self._counting:
                self.sent += len(batch)
            self._crew.tell()
        with self._counting:
            self._at_work -= 1
            if not self._at_work:
                self.ended.set()
                self._crew.tell()
