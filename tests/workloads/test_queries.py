"""The workload `queries` on a gatekeeper in memory: reads may be old there, and writes fail."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from labctl.errors import Interrupted, LabctlError
from labctl.events import Event, JobFinished
from labctl.kinds.base import Actual
from labctl.ledger.results import ResultsStore
from labctl.targets.endpoint import EndpointTarget
from labctl.transport.base import Completed
from labctl.workloads.base import Request, WorkloadContext
from labctl.workloads.queries import QueriesModel, QueriesWorkload

WANT = QueriesModel(
    through="gatekeeper",
    jobs=40,
    modes=["random", "direct-hit"],
    write="UPDATE actor SET last_name = 'MARK' WHERE actor_id = 1",
    read="SELECT last_name FROM actor WHERE actor_id = 1",
)
queries = QueriesWorkload()


class Database:
    """Holds one value; replicas show it only while they follow."""

    def __init__(self) -> None:
        self.value = self.replicated = "none"
        self.follows = self.writes = True
        self.asked: list[dict[str, Any]] = []

    def on_role(
        self, role: str, script: str, stdin: bytes
    ) -> Mapping[str, Completed | LabctlError]:
        assert role == "gatekeeper.0"
        answers = [self._answer(json.loads(line)) for line in stdin.splitlines()]
        text = "".join(json.dumps(answer) + "\n" for answer in answers)
        return {"gatekeeper.0": Completed(0, text.encode(), b"")}

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        if asked["mode"] == "write":
            if not self.writes:
                return {"status": 503, "error": "the primary is not live", "ms": 1.0}
            self.value = asked["query"].split("'")[1]
            self.replicated = self.value if self.follows else self.replicated
            return {"status": 200, "node": "primary", "changed": 1, "ms": 2.0}
        there = asked["mode"] == "direct-hit"
        value, node = (self.value, "primary") if there else (self.replicated, "replica.0")
        return {"status": 200, "node": node, "rows": [[value]], "ms": 1.0}


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def context(tmp_path: Path, database: Database, events: list[Event]) -> Iterator[WorkloadContext]:
    with ResultsStore(tmp_path / "results.sqlite3") as results:
        yield WorkloadContext(
            target=EndpointTarget("http://127.0.0.1:1"),
            session="k3v9",
            neighbours={"gatekeeper": Actual("ec2.instance", "g", "i-1", {"address": "10.0.0.1"})},
            results=results,
            emit=events.append,
            cancelled=threading.Event(),
            deadline_s=60,
            on_role=database.on_role,
        )


def stale(events: list[Event]) -> list[JobFinished]:
    finished = [event for event in events if isinstance(event, JobFinished)]
    return [event for event in finished if event.answer.startswith("stale")]


def test_each_query_is_asked_once(
    context: WorkloadContext, database: Database, events: list[Event]
) -> None:
    summary = queries.run(context, WANT)
    assert (summary.submitted, summary.done, summary.failed, summary.lost) == (40, 40, 0, 0)
    assert summary.latency_ms == {"p50": 1.0, "p95": 2.0}
    modes = [each["mode"] for each in database.asked]
    assert (modes.count("write"), modes.count("random"), len(modes)) == (4, 16, 40)
    assert {each["url"] for each in database.asked} == {"http://10.0.0.1:8080"}
    assert stale(events) == []


def test_old_data_is_told_and_no_failure(
    context: WorkloadContext, database: Database, events: list[Event]
) -> None:
    database.follows = False
    summary = queries.run(context, WANT)
    assert (summary.done, summary.failed) == (40, 0)
    assert {(event.worker, event.state) for event in stale(events)} == {("replica.0", "done")}
    assert len(stale(events)) == 16


def test_a_write_that_failed_makes_no_read_stale(
    context: WorkloadContext, database: Database, events: list[Event]
) -> None:
    database.writes = False
    summary = queries.run(context, WANT)
    assert (summary.done, summary.failed) == (36, 4)
    assert stale(events) == []


def test_a_run_that_was_stopped_goes_on(context: WorkloadContext, database: Database) -> None:
    def stopping(event: Event) -> None:
        context.cancelled.set()

    with pytest.raises(Interrupted):
        queries.run(dataclasses.replace(context, emit=stopping), WANT)
    assert len(database.asked) == 20
    context.cancelled.clear()
    summary = queries.run(context, WANT)
    assert (summary.submitted, summary.done, len(database.asked)) == (40, 40, 40)


def test_what_is_typed_is_asked_too(context: WorkloadContext) -> None:
    (answer,) = queries.send(context, WANT, [Request("SELECT 1")], wait=True, timeout_s=1)
    assert (answer.state, answer.body, answer.worker) == ("done", "SELECT 1", "replica.0")
    assert queries.dead_letters(context, WANT) == []
