"""The workload `numbers` with real queues and real workers, killed and cheated along the way."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import Interrupted, LabctlError, UsageError
from labctl.events import Event, JobFinished, JobsSent, QueueSampled
from labctl.workloads.base import Request, WorkloadContext
from labctl.workloads.numbers import PRESET, NumbersWorkload
from labctl.workloads.registry import workload, workloads
from numbers_worker.four_figures import parse
from tests.remote.aws import ROOT, Road, Server, WorkerProcess, new_road
from tests.remote.client import Client
from tests.remote.waiting import eventually
from tests.workloads.session import session, wanted

ODD = "tests.remote.odd_jobs"
numbers = NumbersWorkload()


@pytest.fixture
def context(
    road: Road, tmp_path: Path, aws_environment: None
) -> Iterator[tuple[WorkloadContext, list[Event]]]:
    with session(road, tmp_path / "state") as given:
        yield given


def test_it_is_found_by_its_name() -> None:
    assert isinstance(workload("numbers"), NumbersWorkload)
    assert "numbers" in workloads()
    with pytest.raises(UsageError, match="numbrs"):
        workload("numbrs")


def test_each_job_is_answered_once(
    road: Road, context: tuple[WorkloadContext, list[Event]], tmp_path: Path
) -> None:
    given_context, events = context
    with WorkerProcess(road, tmp_path / "home", LABCTL_INSTANCE="i-1").wait_ready():
        summary = numbers.run(given_context, wanted(100))
        again = numbers.run(given_context, wanted(100))
    assert (summary.submitted, summary.done, summary.failed) == (100, 100, 0)
    assert (summary.lost, summary.duplicated, summary.dead) == (0, 0, 0)
    assert (again.submitted, again.done) == (100, 100)
    assert 0 < summary.latency_ms["p50"] <= summary.latency_ms["p95"] <= summary.seconds * 1000
    assert summary.jobs_per_s == pytest.approx(100 / summary.seconds, rel=0.01)
    finished = [event for event in events if isinstance(event, JobFinished)]
    assert len({event.job_id for event in finished}) == len(finished) == 200
    assert {(event.state, event.worker, event.attempt) for event in finished} == {
        ("done", "i-1", 1)
    }
    sent = [event.count for event in events if isinstance(event, JobsSent)]
    assert sent.count(100) == 2
    assert {event.total for event in events if isinstance(event, JobsSent)} == {100}
    assert given_context.results.counts().done == 200


def test_five_kills_of_the_worker_lose_and_double_nothing(
    ministack: Server, tmp_path: Path, aws_environment: None
) -> None:
    road = new_road(ministack, visibility_s=2, receives=50)
    home = tmp_path / "home"
    with session(road, tmp_path / "state") as (context, _):
        kills: list[int] = []

        def keep_killing() -> None:
            for stored in (15, 50, 85, 120, 155):
                worker = WorkerProcess(road, home, module=ODD)
                eventually(lambda stored=stored: len(Client(road).results()) >= stored, "progress")  # type: ignore[misc]  # bound now
                worker.kill()
                kills.append(worker.pid)
            last.append(WorkerProcess(road, home, module=ODD))

        last: list[WorkerProcess] = []
        killer = threading.Thread(target=keep_killing)
        killer.start()
        summary = numbers.run(context, wanted(200))
        killer.join(60)
        last[0].kill()
        assert len(kills) == 5
    assert (summary.submitted, summary.done, summary.lost) == (200, 200, 0)
    assert (summary.duplicated, summary.dead, summary.failed) == (0, 0, 0)
    assert len(Client(road).results()) == 200


def test_a_killed_run_is_taken_up_where_it_stopped(
    road: Road, tmp_path: Path, aws_environment: None
) -> None:
    arguments = [*dataclasses.astuple(road)[1:], str(tmp_path / "state"), "300"]
    command = [sys.executable, "-m", "tests.workloads.runner", road.server.url, *arguments]
    path = os.pathsep.join([str(ROOT / "remote"), str(ROOT)])
    gate = tmp_path / "home/gate"  # so that it cannot be done before the kill
    gate.parent.mkdir()
    gate.write_text("100")
    with WorkerProcess(road, tmp_path / "home", module=ODD).wait_ready():
        for most in ("100", "200"):
            gate.write_text(most)
            runner = subprocess.run(
                [*command, "20"], env={**os.environ, "PYTHONPATH": path}, timeout=120, check=False
            )
            assert runner.returncode == -signal.SIGKILL
        with session(road, tmp_path / "state") as (context, events):
            before = context.results.counts()
            assert 20 < before.done < 300
            gate.unlink()
            summary = numbers.run(context, wanted(300))
            assert context.results.counts().submitted == 300
    assert (summary.submitted, summary.done, summary.lost, summary.duplicated) == (300, 300, 0, 0)
    finished = [event for event in events if isinstance(event, JobFinished)]
    assert len(finished) < 300


def test_jobs_that_were_noted_but_never_sent_are_sent(
    road: Road, context: tuple[WorkloadContext, list[Event]], tmp_path: Path
) -> None:
    results = context[0].results
    run = results.begin_run("numbers", purpose="run", jobs=25, seed=1)
    results.submit(run.number, {f"k3v9-{run.mark}-{number:06}": "1" for number in range(12)})
    with WorkerProcess(road, tmp_path / "home").wait_ready():
        summary = numbers.run(context[0], wanted(25))
    assert (summary.submitted, summary.done, summary.lost) == (25, 25, 0)


def test_the_replies_of_other_clients_stay_in_the_queue(
    road: Road, context: tuple[WorkloadContext, list[Event]], tmp_path: Path
) -> None:
    client = Client(road)
    with WorkerProcess(road, tmp_path / "home").wait_ready():
        for number in range(15):
            client.send("1,2,3", None if number % 2 else f"theirs-{number}")
        eventually(lambda: client.depth() == (0, 0), "the strangers are answered")
        summary = numbers.run(context[0], wanted(50))
    assert (summary.done, summary.lost, summary.duplicated) == (50, 0, 0)
    assert client.depth(road.responses) == (15, 0)
    replies = client.collect(15, within_s=5)
    assert Counter(reply.job_id is None for reply in replies) == {True: 7, False: 8}
    assert context[0].results.counts().submitted == 50


def test_answers_that_come_again_are_recorded_once(
    road: Road, context: tuple[WorkloadContext, list[Event]], tmp_path: Path
) -> None:
    client = Client(road)
    given_context, _ = context
    with WorkerProcess(road, tmp_path / "home").wait_ready():
        (answer,) = numbers.send(given_context, wanted(), [Request("1,2")], wait=True, timeout_s=30)
        for _ in range(3):
            client.send("1,2", answer.job_id)
        eventually(lambda: client.depth() == (0, 0), "the copies are worked")
        numbers.run(given_context, wanted(5))
        eventually(lambda: client.collect(1, within_s=1) == [], "the answers are taken")
    counts = given_context.results.counts()
    assert (counts.done, counts.duplicated) == (6, 0)
    assert counts.repeated == 3


def test_a_second_and_different_result_is_told(
    road: Road, context: tuple[WorkloadContext, list[Event]], tmp_path: Path
) -> None:
    given_context, _ = context
    client = Client(road)
    with WorkerProcess(road, tmp_path / "home").wait_ready():
        (answer,) = numbers.send(given_context, wanted(), [Request("1,2")], wait=True, timeout_s=30)
        client.answer(answer.job_id, "another answer")
        numbers.run(given_context, wanted(1))
    assert given_context.results.counts().duplicated == 1
    assert given_context.results.find(job_id=answer.job_id)[0].result.answer == answer.text


def test_without_a_worker_jobs_are_lost_at_the_deadline_and_found_later(
    road: Road, tmp_path: Path, aws_environment: None
) -> None:
    with session(road, tmp_path / "state", deadline_s=1.5) as (context, events):
        summary = numbers.run(context, wanted(12))
        assert (summary.submitted, summary.done, summary.lost) == (12, 0, 12)
        assert summary.seconds < 10
        samples = [event for event in events if isinstance(event, QueueSampled)]
        assert ("requests", 12) in {(event.queue, event.visible) for event in samples}
        with WorkerProcess(road, tmp_path / "home").wait_ready():
            # The old answers come first and must not be taken for the one that is waited for.
            eventually(lambda: Client(road).depth() == (0, 0), "the old jobs are worked")
            began = time.monotonic()
            (answer,) = numbers.send(context, wanted(), [Request("1")], wait=True, timeout_s=120)
            assert answer.state == "done"
            assert time.monotonic() - began < 60
        assert context.results.counts().lost == 0


def test_a_result_whose_answer_got_lost_is_found_in_the_table(
    road: Road, tmp_path: Path, aws_environment: None
) -> None:
    with session(road, tmp_path / "state", deadline_s=2) as (context, _):
        client = Client(road)

        def steal_answers() -> None:
            eventually(lambda: context.results.counts().submitted == 5, "the jobs are sent")
            run = context.results.last_run()
            for job_id in context.results.unanswered(run or 0):
                client.store(job_id, "stored")

        thief = threading.Thread(target=steal_answers)
        thief.start()
        summary = numbers.run(context, wanted(5))
        thief.join(10)
    assert (summary.done, summary.lost) == (5, 0)


def test_dead_letters_are_shown_and_left_where_they_are(
    ministack: Server, tmp_path: Path, aws_environment: None
) -> None:
    road = new_road(ministack, visibility_s=1, receives=1)
    with session(road, tmp_path / "state") as (context, _):
        stop = threading.Event()

        def start_again() -> None:
            while not stop.is_set():
                with WorkerProcess(road, tmp_path / "home", module=ODD) as worker:
                    eventually(lambda: stop.is_set() or worker.status is not None, "its end", 60)

        keeper = threading.Thread(target=start_again)
        keeper.start()
        bodies = [Request("kill"), Request("1,2,3")]
        answers = list(numbers.send(context, wanted(), bodies, wait=True, timeout_s=6))
        stop.set()
        keeper.join(60)
        letters = [numbers.dead_letters(context, wanted()) for _ in range(2)]
        states = Counter(answer.state for answer in answers)
        assert states["dead"] >= 1
        assert states["lost"] == 0
        assert letters[0] == letters[1]
        (deadly,) = (letter for letter in letters[0] if letter.body == "kill")
        assert deadly.reason.startswith("receive count exceeded")
        assert deadly in context.results.dead_letters()


def test_a_dead_letter_that_is_answered_after_all_does_not_stand_for_another_job(
    road: Road, context: tuple[WorkloadContext, list[Event]]
) -> None:
    given_context, events = context
    client, results = Client(road), given_context.results

    def work_by_hand() -> None:
        eventually(lambda: client.depth()[0] == 2, "the jobs are sent")
        first, second = results.unanswered(results.last_run() or 0)
        client.sqs.purge_queue(QueueUrl=road.requests)
        client.bury("1", first)
        eventually(lambda: results.counts().dead == 1, "the dead letter is seen")
        client.answer(first, "late")
        eventually(lambda: results.counts().done == 1, "the late answer is recorded")
        looks = len(events)
        eventually(
            lambda: any(isinstance(event, QueueSampled) for event in events[looks:]), "a look"
        )
        client.answer(second, "in time")

    by_hand = threading.Thread(target=work_by_hand)
    by_hand.start()
    summary = numbers.run(given_context, wanted(2))
    by_hand.join(30)
    assert (summary.done, summary.dead, summary.lost) == (2, 0, 0)


def test_typed_jobs_are_answered_one_by_one(
    road: Road, context: tuple[WorkloadContext, list[Event]], tmp_path: Path
) -> None:
    given_context, _ = context
    typed = threading.Event()

    def bodies() -> Iterator[Request]:
        yield Request(PRESET)
        assert typed.wait(30)
        yield Request("two")

    with WorkerProcess(road, tmp_path / "home").wait_ready():
        answers = numbers.send(given_context, wanted(), bodies(), wait=True, timeout_s=30)
        first = next(answers)
        assert first.text.startswith("The list minimum is : -15 ")
        assert first.latency_ms > 0
        typed.set()
        (second,) = answers
    assert (second.state, second.text) == ("failed", "Wrong input")
    assert given_context.results.last_run() is None


def test_nobody_waits_when_told_not_to(
    road: Road, context: tuple[WorkloadContext, list[Event]]
) -> None:
    sent = list(numbers.send(context[0], wanted(), [Request("1")] * 25, wait=False, timeout_s=0))
    assert [answer.state for answer in sent] == ["sent"] * 25
    assert Client(road).depth() == (25, 0)


def test_an_answer_that_does_not_come_is_told_after_the_timeout(
    context: tuple[WorkloadContext, list[Event]],
) -> None:
    (answer,) = numbers.send(context[0], wanted(), [Request("1")], wait=True, timeout_s=0.5)
    assert answer.state == "lost"


def test_a_stopped_run_can_be_taken_up(
    road: Road, context: tuple[WorkloadContext, list[Event]], tmp_path: Path
) -> None:
    given_context, _ = context
    stop = threading.Timer(1, given_context.cancelled.set)
    stop.start()
    with pytest.raises(Interrupted):
        numbers.run(given_context, wanted(30))
    given_context.cancelled.clear()
    with WorkerProcess(road, tmp_path / "home").wait_ready():
        summary = numbers.run(given_context, wanted(30))
    assert (summary.submitted, summary.done, summary.lost, summary.duplicated) == (30, 30, 0, 0)


@pytest.mark.parametrize("body", ["", "a\x1b[2J", "\x00", "\ud800", "x" * 300_000])
def test_what_no_queue_carries_is_refused(
    context: tuple[WorkloadContext, list[Event]], body: str
) -> None:
    for wait in (True, False):
        with pytest.raises(UsageError):
            list(numbers.send(context[0], wanted(), [Request(body)], wait=wait, timeout_s=5))


def test_a_job_longer_than_its_queue_carries_is_refused_before_it_is_noted(
    road: Road, context: tuple[WorkloadContext, list[Event]]
) -> None:
    client = Client(road)
    client.sqs.set_queue_attributes(
        QueueUrl=road.requests, Attributes={"MaximumMessageSize": "1024"}
    )
    fits, longer = [Request("1" * 900)], [Request("1" * 1024)]
    (sent,) = numbers.send(context[0], wanted(), fits, wait=False, timeout_s=5)
    assert sent.state == "sent"
    for wait in (True, False):
        with pytest.raises(UsageError, match="its queue carries 1024"):
            list(numbers.send(context[0], wanted(), longer, wait=wait, timeout_s=5))
    assert context[0].results.counts().submitted == 1


def test_a_lab_that_is_not_up_is_told(
    context: tuple[WorkloadContext, list[Event]],
) -> None:
    without = dataclasses.replace(context[0], neighbours={})
    with pytest.raises(LabctlError, match="not up"):
        numbers.run(without, wanted(1))


@given(st.integers(1, 10_000), st.integers())
def test_random_bodies_are_lists_within_bounds(length: int, seed: int) -> None:
    body = numbers.random_body(length, random.Random(seed))
    found = parse(body)
    assert found is not None
    assert len(found) == length
    assert all(-100 <= value <= 100 for value in found)
    assert body == numbers.random_body(length, random.Random(seed))


@pytest.mark.parametrize("length", [0, -1, 10_001])
def test_a_random_body_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(UsageError, match="10,000"):
        numbers.random_body(length, random.Random(1))
