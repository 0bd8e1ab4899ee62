"""A session as the engine hands it to a workload: resources on a real server, a results store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.events import Event
from labctl.kinds.base import Actual
from labctl.ledger.results import ResultsStore
from labctl.targets.endpoint import EndpointTarget
from labctl.workloads.base import WorkloadContext
from labctl.workloads.numbers import NumbersModel
from tests.remote.aws import Road


def neighbours(road: Road) -> dict[str, Actual]:
    """Return the resources of a road as their kinds describe them."""
    queues = {"requests": road.requests, "responses": road.responses, "dead": road.dead}
    return {
        **{
            name: Actual("sqs.queue", url.rsplit("/", 1)[-1], url, {"url": url})
            for name, url in queues.items()
        },
        "results": Actual("dynamodb.table", road.results, road.results),
        "archive": Actual("s3.bucket", road.archive, road.archive),
    }


def wanted(jobs: int = 1) -> NumbersModel:
    return NumbersModel(
        send="requests", collect="responses", results="results", dead="dead", jobs=jobs
    )


@contextmanager
def session(
    road: Road, state: Path, *, deadline_s: float = 60
) -> Iterator[tuple[WorkloadContext, list[Event]]]:
    """Give a workload's context and the events that it emits."""
    events: list[Event] = []
    with ResultsStore(state / "results.sqlite3") as results:
        context = WorkloadContext(
            target=EndpointTarget(road.server.url),
            session="k3v9",
            neighbours=neighbours(road),
            results=results,
            emit=events.append,
            cancelled=threading.Event(),
            deadline_s=deadline_s,
        )
        yield context, events
