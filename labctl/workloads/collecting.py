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
    """Receives until the crew stops. One thread polls; helpers only take part in a backlog,
    so that none of them holds a poll open when the last reply has come."""

    def __init__(self, exchange: Exchange, results: ResultsStore, crew: Crew) -> None:
        self._exchange, self._results, self._crew = exchange, results, crew
        self._enough: Callable[[int], bool] = lambda recorded: False
        self._recorded = 0
        self._backlog = threading.Event()
        self._lock = threading.Lock()
        self._strangers: dict[str, Reply] = {}

    def start(self, *, enough: Callable[[int], bool]) -> None:
        """Begin to collect; no poll begins while `enough` of the number recorded here is true."""
        self._enough = enough
        self._crew.start(self._poll)
        for _ in range(_HELPERS):
            self._crew.start(self._help)

    def give_strangers_back(self) -> None:
        """Make every reply that was not ours visible to its client again."""
        with self._lock:
            strangers, self._strangers = list(self._strangers.values()), {}
        self._exchange.give_back(strangers)

    def _poll(self) -> None:
        while not self._crew.stop.is_set():
            if self._enough(self._recorded):
                self._crew.stop.wait(_IDLE_S)
                continue
            replies = self._exchange.receive(wait_s=_POLL_S)
            if len(replies) == BATCH:
                self._backlog.set()
            self._take(replies)

    def _help(self) -> None:
        while not self._crew.stop.wait(0 if self._backlog.is_set() else _LOOK_S):
            if self._backlog.is_set():
                replies = self._exchange.receive(wait_s=0)
                if not replies:
                    self._backlog.clear()
                self._take(replies)

    def _take(self, replies: list[Reply]) -> None:
        theirs = [reply for reply in replies if reply.result is None]
        claimed = [(reply, reply.result) for reply in replies if reply.result is not None]
        if claimed:
            verdicts = self._results.record_all([result for _, result in claimed])
            judged = list(zip(verdicts, (reply for reply, _ in claimed), strict=True))
            with self._lock:
                self._recorded += verdicts.count("new")
            self._crew.tell()
            self._exchange.delete([reply for verdict, reply in judged if verdict != "unknown"])
            theirs += [reply for verdict, reply in judged if verdict == "unknown"]
        if theirs:
            with self._lock:
                self._strangers |= {reply.message_id: reply for reply in theirs}
            self._exchange.leave(theirs)
