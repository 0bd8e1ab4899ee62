"""The worker as it runs on a machine, against a real server: nothing lost, nothing done twice."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from job_runtime.jobs import is_job_id
from tests.remote.aws import Road, Server, WorkerProcess, new_road
from tests.remote.client import Client
from tests.remote.hostile import BAD_IDS, BODIES
from tests.remote.odd_jobs import starts
from tests.remote.troublemaker import troublemaker
from tests.remote.waiting import eventually

ODD = "tests.remote.odd_jobs"
PRESET = "1,5,22,33,9,0,-15,8,22,100,33,62,90,150,1,2,3"


def test_a_job_is_answered_stored_and_logged(each_server: Server, tmp_path: Path) -> None:
    road = new_road(each_server)
    client = Client(road)
    with WorkerProcess(road, tmp_path, LABCTL_INSTANCE="i-0abc").wait_ready() as worker:
        client.send(PRESET, "job-1")
        client.send("one", "job-2")
        replies = {reply.job_id: reply for reply in client.collect(2)}
        stored = client.results()
        eventually(lambda: client.depth() == (0, 0), "the requests are deleted")
        worker.terminate()
        assert worker.wait(10) == 0
    first = replies["job-1"]
    assert first.body.startswith("The list minimum is : -15 \n")
    assert {name: first.attributes[name] for name in ("state", "worker", "attempt")} == {
        "state": "done",
        "worker": "i-0abc",
        "attempt": "1",
    }
    assert int(first.attributes["worked_ms"]) >= 0
    assert (replies["job-2"].body, replies["job-2"].attributes["state"]) == (
        "Wrong input",
        "failed",
    )
    assert stored["job-1"]["answer"] == first.body
    assert stored["job-2"]["state"] == "failed"
    log = each_server.client("s3").get_object(Bucket=road.archive, Key="log.txt")["Body"].read()
    assert sorted(line.split()[1:4] for line in log.decode().splitlines()) == [
        ["i-0abc", "job-1", "done"],
        ["i-0abc", "job-2", "failed"],
    ]
    assert {(r["job"], r["state"]) for r in worker.records("job")} == {
        ("job-1", "done"),
        ("job-2", "failed"),
    }


def test_an_original_client_gets_its_answer_in_the_plain_protocol(
    road: Road, tmp_path: Path
) -> None:
    client = Client(road)
    with WorkerProcess(road, tmp_path).wait_ready():
        client.send("1,2,3")
        (reply,) = client.collect(1)
    assert reply.body.splitlines() == [
        "The list minimum is : 1 ",
        "The list maximum is : 3 ",
        "The list average is : 2 ",
        "The list median is : 2 ",
    ]
    assert reply.attributes == {}
    assert client.results() == {}


def test_a_job_ten_times_longer_than_its_visibility_runs_once(
    ministack: Server, tmp_path: Path
) -> None:
    road = new_road(ministack, visibility_s=1)
    client = Client(road)
    with WorkerProcess(road, tmp_path, module=ODD).wait_ready():
        client.send("long 10.5", "long")
        (reply,) = client.collect(1)
        eventually(lambda: client.depth() == (0, 0), "the request is deleted")
    assert (reply.body, reply.attributes["attempt"]) == ("at last", "1")
    assert starts(tmp_path) == ["long"]


def test_a_stored_result_is_answered_and_not_worked_again(road: Road, tmp_path: Path) -> None:
    client = Client(road)
    client.send("1,2,3", "before")
    assert client.take_and_drop() == 1
    client.store("before", "what the first worker found")
    with WorkerProcess(road, tmp_path, module=ODD).wait_ready() as worker:
        (reply,) = client.collect(1)
        eventually(lambda: client.depth() == (0, 0), "the request is deleted")
        eventually(lambda: worker.records("job_again"), "the answer is logged")
    assert reply.body == "what the first worker found"
    assert (reply.attributes["worker"], reply.attributes["worked_ms"]) == ("gone", "5")
    assert starts(tmp_path) == []


def test_a_job_sent_twice_has_one_result_and_equal_answers(road: Road, tmp_path: Path) -> None:
    client = Client(road)
    for _ in range(5):
        client.send("1,2,3", "same")
    with WorkerProcess(road, tmp_path, module=ODD).wait_ready():
        replies = client.collect(5)
    assert len(replies) == 5
    assert all(reply == replies[0] for reply in replies)
    assert list(client.results()) == ["same"]


def test_a_deadly_message_ends_as_a_dead_letter_and_its_neighbours_do_not(
    ministack: Server, tmp_path: Path
) -> None:
    road = new_road(ministack, visibility_s=1, receives=4)
    client = Client(road)
    neighbours = [f"job-{number:02}" for number in range(9)]
    for job_id in neighbours:
        client.send("1,2,3", job_id)
        if job_id == "job-03":
            client.send("kill", "poison")
    worker = WorkerProcess(road, tmp_path, module=ODD)
    dead: list[str] = []
    until = time.monotonic() + 60
    while not dead and time.monotonic() < until:
        if worker.status is not None:
            worker = WorkerProcess(road, tmp_path, module=ODD)
        dead = client.dead()
    worker.kill()
    assert dead == ["kill"]
    # On a busy machine a delivery may expire before its start: it counts as a receive all the same.
    assert 1 <= starts(tmp_path).count("poison") <= 4
    assert sorted(client.results()) == neighbours


def test_on_sigterm_what_is_nearly_done_is_finished(road: Road, tmp_path: Path) -> None:
    client = Client(road)
    with WorkerProcess(road, tmp_path, module=ODD).wait_ready() as worker:
        client.send("long 2", "short")
        eventually(lambda: starts(tmp_path) == ["short"], "the job runs")
        worker.terminate()
        assert worker.wait(10) == 0
    (reply,) = client.collect(1, within_s=5)
    assert reply.body == "at last"
    assert client.depth() == (0, 0)


def test_on_sigterm_what_takes_too_long_is_returned_at_once(road: Road, tmp_path: Path) -> None:
    client = Client(road)
    for number in range(9):
        client.send("long 60", f"job-{number}")
    with WorkerProcess(road, tmp_path, module=ODD).wait_ready() as worker:
        eventually(lambda: len(starts(tmp_path)) == 4, "the pool is full")
        began = time.monotonic()
        worker.terminate()
        assert worker.wait(10) == 0
        assert time.monotonic() - began < 10
    assert client.depth() == (9, 0)
    assert client.results() == {}


def test_jobs_that_break_are_answered_with_the_reason(road: Road, tmp_path: Path) -> None:
    client = Client(road)
    bodies = {
        "raises": "raise {0.__class__} \u202e",
        "exits": "exit 3",
        "too-big": f"size {300 * 1024}",
        "empty": "size 0",
        "escapes": r"say \x1b[2J\x00\ud800",
        "fits": f"size {250 * 1024}",
    }
    for job_id, body in bodies.items():
        client.send(body, job_id)
    with WorkerProcess(road, tmp_path, module=ODD).wait_ready() as worker:
        replies = {reply.job_id or "": reply for reply in client.collect(len(bodies))}
        assert worker.status is None
    states = {job_id: reply.attributes["state"] for job_id, reply in replies.items()}
    assert states == {
        "raises": "failed",
        "exits": "failed",
        "too-big": "failed",
        "empty": "failed",
        "escapes": "done",
        "fits": "done",
    }
    assert replies["raises"].body == "ValueError: {0.__class__} \u202e"
    assert "bytes" in replies["too-big"].body
    assert replies["escapes"].body == "\ufffd[2J\ufffd\ufffd"
    assert len(replies["fits"].body) == 250 * 1024


def test_hostile_messages_are_data(road: Road, tmp_path: Path) -> None:
    assert len(BODIES) >= 60
    client = Client(road)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with WorkerProcess(road, tmp_path).wait_ready() as worker:
        for number, body in enumerate(BODIES):
            client.send(body, f"job-{number}")
        for job_id in BAD_IDS:
            client.send("1,2,3", job_id)
        replies = client.collect(len(BODIES) + len(BAD_IDS), within_s=60)
        assert worker.status is None
        worker.terminate()
        assert worker.wait(10) == 0
    assert len(replies) == len(BODIES) + len(BAD_IDS)
    known = [reply.job_id for reply in replies if reply.job_id]
    assert sorted(known) == sorted(f"job-{number}" for number in range(len(BODIES)))
    assert all(is_job_id(job_id) for job_id in client.results())
    assert all(line.isascii() and line.isprintable() for line in worker.lines)
    assert worker.lines.count("ready") == 1
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert {path.name for path in new} <= {"lock", "journal"}
    log = road.server.client("s3").get_object(Bucket=road.archive, Key="log.txt")["Body"].read()
    assert log.isascii()
    assert len(log.splitlines()) == len(replies)


def test_two_workers_share_the_work(road: Road, tmp_path: Path) -> None:
    client = Client(road)
    homes = [tmp_path / "one", tmp_path / "two"]
    with (
        WorkerProcess(road, homes[0], module=ODD, LABCTL_INSTANCE="one").wait_ready(),
        WorkerProcess(road, homes[1], module=ODD, LABCTL_INSTANCE="two").wait_ready(),
    ):
        for number in range(100):
            client.send("1,2,3", f"job-{number}")
        replies = client.collect(100)
    assert {reply.attributes["worker"] for reply in replies} == {"one", "two"}
    assert sorted(starts(homes[0]) + starts(homes[1])) == sorted(client.results())


def test_an_idle_worker_only_polls(ministack: Server, tmp_path: Path) -> None:
    road = new_road(ministack, visibility_s=1)
    with (
        troublemaker(ministack) as (maker, endpoint),
        WorkerProcess(replace(road, server=endpoint), tmp_path).wait_ready(),
    ):
        eventually(lambda: maker.calls["ReceiveMessage"] >= 2, "the first poll has ended")
        calls = dict(maker.calls)
    assert calls == {"GetQueueAttributes": 2, "ReceiveMessage": 2}


@pytest.mark.parametrize("missing", ["REQUESTS", "RESPONSES", "RESULTS"])
def test_a_worker_that_was_told_too_little_says_so(
    road: Road, tmp_path: Path, missing: str
) -> None:
    with WorkerProcess(road, tmp_path, **{missing: ""}) as worker:
        assert worker.wait(30) == 2
    assert missing in worker.records("failed")[0]["error"]


def test_a_queue_that_is_not_there_ends_the_worker_loudly(road: Road, tmp_path: Path) -> None:
    gone = f"{road.server.url}/000000000000/never-made"
    with WorkerProcess(road, tmp_path, REQUESTS=gone) as worker:
        assert worker.wait(30) == 1
    assert "ready" not in worker.lines
    assert "QueueDoesNotExist" in worker.records("failed")[0]["error"]
