"""The checks on a real server: what holds, what does not, and that they are asked again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from labctl.checks.base import Check, CheckContext, Verdict, compare, within
from labctl.checks.jobs import JobsCheck, JobsModel
from labctl.checks.object import ObjectCheck, ObjectModel
from labctl.checks.queue import QueueCheck, QueueModel
from labctl.checks.registry import check, checks
from labctl.errors import CredentialsError, Interrupted, UsageError
from labctl.kinds.base import Actual
from labctl.ledger.results import JobResult, ResultsStore
from labctl.spec.fields import StrictModel
from labctl.targets.endpoint import EndpointTarget
from tests.remote.aws import Road
from tests.remote.client import Client
from tests.remote.troublemaker import troublemaker
from tests.workloads.session import neighbours


@pytest.fixture
def context(road: Road, tmp_path: Path, aws_environment: None) -> Iterator[CheckContext]:
    with ResultsStore(tmp_path / "state" / "results.sqlite3") as results:
        yield CheckContext(EndpointTarget(road.server.url), neighbours(road), results)


def record(results: ResultsStore, *, done: int, failed: int, unanswered: int) -> None:
    run = results.begin_run("numbers", purpose="run", jobs=done + failed + unanswered, seed=1)
    ids = [f"{run.mark}-{number}" for number in range(done + failed + unanswered)]
    results.submit(run.number, dict.fromkeys(ids, "1"))
    for number in range(done + failed):
        state = "done" if number < done else "failed"
        results.record(JobResult(ids[number], state, "x", "w", 1, 1))  # type: ignore[arg-type]  # one of the two
    results.end_run(run.number)


def test_they_are_found_by_their_names() -> None:
    assert set(checks()) >= {"jobs", "queue", "object"}
    assert isinstance(check("jobs"), JobsCheck)
    with pytest.raises(UsageError, match="job"):
        check("job")


def test_jobs_compares_the_latest_run(context: CheckContext) -> None:
    jobs = JobsCheck()
    assert jobs.holds(context, JobsModel(lost=0)) == Verdict(False, "no jobs were sent yet")
    record(context.results, done=1, failed=0, unanswered=5)
    record(context.results, done=7, failed=2, unanswered=1)
    sent = context.results.begin_run("numbers", purpose="send", jobs=0, seed=0)
    context.results.submit(sent.number, {"typed": "1"})
    assert jobs.holds(context, JobsModel(done=7, failed=2, lost=1, duplicated=0)).ok
    verdict = jobs.holds(context, JobsModel(done=10, lost=0, duplicated=0))
    assert verdict == Verdict(False, "done is 7, wanted 10; lost is 1, wanted 0")


def test_queue_compares_the_depth(context: CheckContext, road: Road) -> None:
    queue = QueueCheck()
    assert queue.holds(context, QueueModel(name="requests", visible=0, in_flight=0)).ok
    Client(road).send("1")
    verdict = queue.holds(context, QueueModel(name="requests", visible=0))
    assert verdict == Verdict(False, "requests: visible is 1, wanted 0")
    assert not queue.holds(context, QueueModel(name="nowhere", visible=0)).ok


def test_object_reads_the_object(context: CheckContext, road: Road) -> None:
    look = ObjectCheck()
    exists = ObjectModel(bucket="archive", key="log.txt")
    assert look.holds(context, exists) == Verdict(False, "there is no object log.txt")
    # The text lies across the border of two parts that are read.
    body = b"x" * (2**20 - 3) + b"needle\n" + b"line\n" * 9
    road.server.client("s3").put_object(Bucket=road.archive, Key="log.txt", Body=body)
    assert look.holds(context, exists).ok

    def asks(contains: str | None = None, min_lines: int | None = None) -> Verdict:
        return look.holds(
            context,
            ObjectModel(bucket="archive", key="log.txt", contains=contains, min_lines=min_lines),
        )

    assert asks("needle", 10).ok
    assert not asks("thread").ok
    assert asks(min_lines=11) == Verdict(False, "log.txt has 10 lines, wanted 11")
    elsewhere = ObjectModel(bucket="nowhere", key="log.txt")
    assert look.holds(context, elsewhere) == Verdict(False, "nowhere is not up")


def test_a_check_that_asks_nothing_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="at least one figure"):
        JobsModel()
    with pytest.raises(ValidationError, match="at least one figure"):
        QueueModel(name="requests")
    with pytest.raises(ValidationError):
        JobsModel(lost=-1)


def test_what_is_right_and_wrong_is_said() -> None:
    assert compare({"a": 1, "b": 2}, {"a": 1, "b": None}) == Verdict(True, "a is 1")
    assert compare({"a": 1, "b": 2}, {"a": 1, "b": 3}) == Verdict(False, "b is 2, wanted 3")


class Counting(Check[StrictModel]):
    """Holds from its third look on."""

    name = "counting"
    model = StrictModel

    def __init__(self, holds_from: float = 3) -> None:
        self.looks = 0
        self._holds_from = holds_from

    def holds(self, context: CheckContext, want: StrictModel) -> Verdict:
        self.looks += 1
        return Verdict(self.looks >= self._holds_from, f"look {self.looks}")


def test_a_check_is_asked_until_it_holds(context: CheckContext) -> None:
    never = threading.Event()
    verdict = within(Counting(), context, StrictModel(), deadline_s=60, cancelled=never)
    assert verdict == Verdict(True, "look 3")
    once = within(Counting(), context, StrictModel(), deadline_s=0, cancelled=never)
    assert once == Verdict(False, "look 1")


def test_a_check_is_not_asked_past_its_deadline(context: CheckContext) -> None:
    began = time.monotonic()
    check = Counting(float("inf"))
    verdict = within(check, context, StrictModel(), deadline_s=0.4, cancelled=threading.Event())
    assert not verdict.ok
    assert check.looks > 1
    assert 0.4 <= time.monotonic() - began < 10


def test_a_stopped_check_ends_at_once(context: CheckContext) -> None:
    cancelled = threading.Event()
    timer = threading.Timer(0.2, cancelled.set)
    timer.start()
    with pytest.raises(Interrupted):
        within(Counting(float("inf")), context, StrictModel(), deadline_s=600, cancelled=cancelled)


def test_a_refused_call_is_part_of_the_verdict_and_refused_keys_are_an_error(
    context: CheckContext, road: Road
) -> None:
    gone = {"requests": Actual("sqs.queue", "gone", f"{road.server.url}/000000000000/gone")}
    nothing = CheckContext(context.target, gone, context.results)
    want = QueueModel(name="requests", visible=0)
    never = threading.Event()
    assert not within(QueueCheck(), nothing, want, deadline_s=0, cancelled=never).ok
    with troublemaker(road.server) as (maker, endpoint):
        maker.judge = lambda operation, count, key: "expire"
        expired = CheckContext(EndpointTarget(endpoint.url), context.neighbours, context.results)
        with pytest.raises(CredentialsError):
            within(QueueCheck(), expired, want, deadline_s=60, cancelled=never)
