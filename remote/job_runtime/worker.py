"""The worker's loop: take messages, work them, store, answer, delete; end in order on SIGTERM."""

from __future__ import annotations

import json
import os
import queue
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from job_runtime.cloud import Cloud, Stopping
from job_runtime.crash_journal import CrashJournal
from job_runtime.dated_log import DatedLog
from job_runtime.held import Held, keep_holding
from job_runtime.jobs import Job, Outcome, failed, sendable
from job_runtime.log_lines import say, say_all, say_text, timestamp
from job_runtime.masking import masked
from job_runtime.queues import BATCH, Message, Queues
from job_runtime.results_table import Result, ResultsTable
from job_runtime.settings import Settings, SettingsError
from job_runtime.spool import claim_folder

_FINISH_S = 7.0  # how long running jobs may go on after SIGTERM
_LAST_WORDS_S = 1.5
_FINISHERS = 2
_MOST_HELD = 100
_MOST_FINISHED = 50
_LINGER_S = 0.005  # a fuller batch costs fewer calls
_MANY_DELIVERIES = 3


@dataclass(frozen=True)
class _Finished:
    message: Message
    result: Result
    fresh: bool  # worked just now; otherwise found in the table


def run_worker(
    handle: Callable[[Job], Outcome], *, threads: int = 4, cloud: Cloud | None = None
) -> int:
    """Work jobs until SIGTERM or SIGINT and return the exit status.

    `handle` runs in several threads at once, 1 to `threads`. What it raises fails the job, but
    for passing troubles of AWS calls: then it is called again. A `cloud` that it calls services
    by is given here too, so that both wait and end together.
    """
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        say("failed", error=str(error))
        return 2
    worker = Worker(settings, handle, threads=threads, cloud=cloud or Cloud())

    def on_signal(number: int, frame: FrameType | None) -> None:
        worker.stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGHUP, on_signal)  # a halting machine sends it, too
    return worker.run()


class Worker:
    """One worker process; `stop` set means to take no more messages and to end within 10 s."""

    def __init__(
        self, settings: Settings, handle: Callable[[Job], Outcome], *, threads: int, cloud: Cloud
    ) -> None:
        self.stop = threading.Event()
        self._end = cloud.end
        self._handle = handle
        self._threads = threads
        self._name = settings.worker
        self._cloud = cloud
        self._queues = Queues(self._cloud, requests=settings.requests, responses=settings.responses)
        self._table = ResultsTable(self._cloud, settings.results)
        folder, self._folder_lock = claim_folder(settings.spool)
        self._journal = CrashJournal(folder / "journal")
        self._log = DatedLog(self._cloud, settings.archive, folder) if settings.archive else None
        self._held = Held()
        self._waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[_Finished] = queue.SimpleQueue()
        self._answer_bytes = 0
        self._status = 0

    def run(self) -> int:
        """Work until `stop` is set and return the exit status."""
        try:
            visibility_s, self._answer_bytes = self._queues.limits(until=self.stop)
        except Stopping:
            return 0
        except Exception as error:  # the edge of the process: a line instead of a traceback
            _say_failed(error)
            return 1
        say_text("ready\n")
        receiver = self._spawn(self._receive_loop)
        for _ in range(self._threads):
            self._spawn(self._work_loop)
        for _ in range(_FINISHERS):
            self._spawn(self._finish_loop)
        self._spawn(
            lambda: keep_holding(self._queues, self._held, visibility_s=visibility_s, end=self._end)
        )
        if self._log:
            log = self._log
            self._spawn(lambda: log.ship_until(self._end))
        self.stop.wait()
        self._wind_down(receiver)
        return self._status

    def _spawn(self, loop: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                loop()
            except Stopping:
                pass
            except Exception as error:  # the outermost edge of a thread: end the worker loudly
                self._status = 1
                self.stop.set()
                _say_failed(error)

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def _receive_loop(self) -> None:
        while not self.stop.is_set():
            self._held.wait_for_room(self._threads, most_held=_MOST_HELD, stop=self.stop)
            messages = self._queues.receive(until=self.stop)
            if self.stop.is_set():
                self._queues.give_back(messages)
            elif messages:
                self._held.add(messages)
                self._hand_out(messages)

    def _hand_out(self, messages: Sequence[Message]) -> None:
        again = {m.job_id for m in messages if m.attempt > 1 and m.job_id is not None}
        stored = self._table.stored(again) if again else {}
        suspects = []
        for message in messages:
            result = stored.get(message.job_id) if message.job_id else None
            if result:
                if self._held.begin(message):
                    self._finished.put(_Finished(message, result, fresh=False))
            elif message.attempt >= _MANY_DELIVERIES or self._journal.deaths(message.id):
                suspects.append(message)
            else:
                self._waiting.put(message)
        if suspects:
            self._work_alone(suspects)

    def _work_alone(self, suspects: list[Message]) -> None:
        """Work messages that may kill the process one by one, the likeliest last."""
        random.shuffle(suspects)
        suspects.sort(key=lambda message: self._journal.deaths(message.id))
        while suspects and not self.stop.is_set():
            self._held.wait_for_only(suspects, until=self.stop)
            self._work(suspects.pop(0))
        self._held.wait_for_only((), until=self.stop)

    def _work_loop(self) -> None:
        while not self._end.is_set():
            self._work(self._waiting.get())

    def _work(self, message: Message) -> None:
        if self.stop.is_set() or not self._held.begin(message):
            return
        self._journal.begin(message.id)
        started = time.monotonic()
        outcome = self._outcome(
            Job(message.job_id, message.body, message.attempt, message.attributes)
        )
        worked_ms = round((time.monotonic() - started) * 1000)
        self._journal.end(message.id)
        result = Result(outcome.state, outcome.answer, self._name, message.attempt, worked_ms)
        self._finished.put(_Finished(message, result, fresh=True))

    def _outcome(self, job: Job) -> Outcome:
        try:
            outcome = self._cloud.patiently(lambda: self._handle(job))
        except Stopping:
            raise
        except (Exception, SystemExit) as error:  # the edge of foreign code: its job fails
            outcome = failed(masked(f"{type(error).__name__}: {error}")[:1000])
        return sendable(outcome, limit_bytes=self._answer_bytes)

    def _finish_loop(self) -> None:
        while not self._end.is_set():
            batch = self._take_finished()
            if batch:
                self._finish(batch)

    def _take_finished(self) -> list[_Finished]:
        batch: list[_Finished] = []
        patience_s = 0.2
        while len(batch) < _MOST_FINISHED:
            try:
                batch.append(self._finished.get(timeout=patience_s))
            except queue.Empty:
                break
            more_to_come = self._held.count() > len(batch)
            patience_s = _LINGER_S if more_to_come and len(batch) < BATCH else 0.0
        return batch

    def _finish(self, batch: Sequence[_Finished]) -> None:
        fresh = [item for item in batch if item.fresh]
        if self._log and fresh:
            self._log.append(_dated_line(item) for item in fresh)
        ours: dict[str, Result] = {}
        for item in fresh:
            if item.message.job_id is not None:
                ours.setdefault(item.message.job_id, item.result)
        stored = self._table.store(ours) if ours else {}
        answers = [
            (item.message, stored.get(item.message.job_id or "", item.result)) for item in batch
        ]
        sent = self._queues.answer(answers)
        self._queues.delete([item.message for item in batch if item.message.id in sent])
        self._held.remove([item.message for item in batch])
        say_all(_job_record(item, answered=item.message.id in sent) for item in batch)

    def _wind_down(self, receiver: threading.Thread) -> None:
        timer = threading.Timer(_FINISH_S, self._end.set)
        timer.daemon = True
        timer.start()
        last_words = threading.Thread(target=self._return_and_flush, args=[receiver], daemon=True)
        last_words.start()
        # A service that does not answer must not hold up the end.
        last_words.join(_FINISH_S + _LAST_WORDS_S)
        self._journal.forget_running()
        say("stopped", held=len(self._held.all()))

    def _return_and_flush(self, receiver: threading.Thread) -> None:
        try:
            self._queues.give_back(self._held.take_waiting())
            receiver.join(_FINISH_S)
            self._held.wait_for_only((), until=self._end)
            self._end.set()
            left = self._held.all()
            self._queues.give_back(left)
            self._held.remove(left)
            if self._log:
                self._log.ship()
        except Stopping:
            pass
        except Exception as error:  # the outermost edge of a thread: the process ends anyway
            _say_failed(error)


def _say_failed(error: Exception) -> None:
    say("failed", error=masked(f"{type(error).__name__}: {error}")[:300])


def _job_record(item: _Finished, *, answered: bool) -> dict[str, str | float | None]:
    return {
        "event": "job" if item.fresh else "job_again",
        "job": item.message.job_id,
        "state": item.result.state,
        "attempt": item.message.attempt,
        "worked_ms": item.result.worked_ms,
        "answered": answered,
    }


def _dated_line(item: _Finished) -> str:
    # As JSON in ASCII the request can break neither the line nor a terminal.
    request = json.dumps(item.message.body[:80])
    job = item.message.job_id or "-"
    result = item.result
    return f"{timestamp()} {result.worker} {job} {result.state} {result.worked_ms}ms {request}"
