"""Collects replies: recorded first, then deleted; other clients' replies are left to them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from labctl.ledger.results import ResultsStore
from labctl.workloads.crew import Crew
from labctl.workloads.exchange import BATCH, Exchange, Reply

_POLL_S = 2  # short, so that a cancelled run ends soon
_IDLE_S = 0.5
_LOOK_S = 0.05
_HELPERS = 2


class Collector:
    """Receives until the crew stops. One thread polls, helpers join it in a backlog.

    No poll is held open once every reply is in, so that the end of a run waits for none.
    """

    def __init__(self, exchange: Exchange, results: ResultsStore, crew: Crew) -> None:
        self._exchange, self._results, self._crew = exchange, results, crew
        self._backlog = threading.Event()  # set by the polling thread only
        self._lock = threading.Lock()
        self._helping = 0
        self._strangers: dict[str, Reply] = {}

    def start(self, *, enough: Callable[[], bool]) -> None:
        """Begin to collect; `enough` tells, before each wait for more, that nothing is missing."""
        self._crew.start(lambda: self._poll(enough))
        for _ in range(_HELPERS):
            self._crew.start(self._help)

    def give_strangers_back(self) -> None:
        """Make every reply that was not ours visible to its client again."""
        with self._lock:
            strangers, self._strangers = list(self._strangers.values()), {}
        self._exchange.give_back(strangers)

    def _poll(self, enough: Callable[[], bool]) -> None:
        while not self._crew.stop.is_set():
            # A helper may be about to record the last reply: only then is it known what is missing.
            helped = self._helping or self._backlog.is_set()
            if not helped and enough():
                self._crew.stop.wait(_IDLE_S)
                continue
            replies = self._exchange.receive(wait_s=0 if helped else _POLL_S)
            if len(replies) == BATCH:
                self._backlog.set()
            self._take(replies)

    def _help(self) -> None:
        while not self._crew.stop.wait(0 if self._backlog.is_set() else _LOOK_S):
            with self._lock:
                if not self._backlog.is_set():
                    continue
                self._helping += 1
            try:
                replies = self._exchange.receive(wait_s=0)
                if not replies:
                    self._backlog.clear()
                self._take(replies)
            finally:
                with self._lock:
                    self._helping -= 1

    def _take(self, replies: list[Reply]) -> None:
        theirs = [reply for reply in replies if reply.result is None]
        claimed = [(reply, reply.result) for reply in replies if reply.result is not None]
        if claimed:
            arrivals = self._results.record_all([result for _, result in claimed])
            judged = list(zip(arrivals, (reply for reply, _ in claimed), strict=True))
            self._crew.tell()
            self._exchange.delete([reply for arrival, reply in judged if arrival != "unknown"])
            theirs += [reply for arrival, reply in judged if arrival == "unknown"]
        if theirs:
            with self._lock:
                self._strangers |= {reply.message_id: reply for reply in theirs}
            self._exchange.leave(theirs)
