"""Services that throttle, drop connections, refuse keys: the worker waits and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.remote.aws import Road, Server, WorkerProcess, new_road
from tests.remote.client import Client
from tests.remote.odd_jobs import starts
from tests.remote.troublemaker import Judge, Trouble, Troublemaker, troublemaker
from tests.remote.waiting import eventually

ODD = "tests.remote.odd_jobs"
JOBS = [f"job-{number:02}" for number in range(40)]


@dataclass(frozen=True)
class Troubled:
    """A road: the worker's way to it leads through the troublemaker, the client's does not."""

    maker: Troublemaker
    road: Road
    client: Client


@pytest.fixture
def troubled(ministack: Server) -> Iterator[Troubled]:
    straight = new_road(ministack, visibility_s=5)
    with troublemaker(ministack) as (maker, endpoint):
        yield Troubled(maker, replace(straight, server=endpoint), Client(straight))


def one_in(number: int, trouble: Trouble, *operations: str) -> Judge:
    """Give trouble to every so manieth call of some operations."""

    def judge(operation: str, count: int, key: str) -> Trouble:
        return trouble if operation in operations and count % number == 0 else "pass"

    return judge


CALLS = (
    *("ReceiveMessage", "SendMessageBatch", "DeleteMessageBatch", "TransactWriteItems"),
    *("ChangeMessageVisibilityBatch", "BatchGetItem", "GetQueueAttributes", "PUT", "GET"),
)


@pytest.mark.parametrize(
    "judge",
    [
        pytest.param(one_in(2, "throttle", *CALLS), id="throttled"),
        pytest.param(one_in(2, "drop", *CALLS), id="connection-lost-before-the-call"),
        pytest.param(one_in(3, "drop-answer", *CALLS), id="connection-lost-after-the-call"),
    ],
)
def test_each_job_has_one_result_through_troubles(
    troubled: Troubled, tmp_path: Path, judge: Judge
) -> None:
    troubled.maker.judge = judge
    client = troubled.client
    with WorkerProcess(troubled.road, tmp_path, module=ODD).wait_ready() as worker:
        for job_id in JOBS:
            client.send("1,2,3", job_id)
        replies = client.collect(len(JOBS), within_s=60)
        eventually(lambda: client.depth() == (0, 0), "the requests are deleted", 60)
        worker.terminate()
        assert worker.wait(10) == 0
    replies += client.collect(1000, within_s=2)
    assert {reply.job_id for reply in replies} == set(JOBS)
    assert len({(reply.job_id, str(reply.attributes)) for reply in replies}) == len(JOBS)
    assert sorted(client.results()) == JOBS
    assert sum(troubled.maker.troubles.values()) > troubled.maker.troubles["pass"]
    troubled.maker.judge = lambda operation, count, key: "pass"
    s3 = troubled.road.server.client("s3")
    log = s3.get_object(Bucket=troubled.road.archive, Key="log.txt")["Body"].read().decode()
    assert sorted({line.split()[2] for line in log.splitlines()}) == JOBS


def test_the_rest_of_a_batch_that_was_half_accepted_is_sent_again(
    troubled: Troubled, tmp_path: Path
) -> None:
    troubled.maker.judge = one_in(2, "half", "SendMessageBatch", "DeleteMessageBatch")
    client = troubled.client
    with WorkerProcess(troubled.road, tmp_path).wait_ready() as worker:
        for job_id in JOBS:
            client.send("1,2,3", job_id)
        client.collect(len(JOBS))
        eventually(lambda: client.depth() == (0, 0), "the requests are deleted")
    assert troubled.maker.troubles["half"] > 0
    assert worker.records("job_again") == []


def write_keys(file: Path, key: str) -> None:
    text = f"[default]\naws_access_key_id={key}\naws_secret_access_key={key}-secret-canary\n"
    scratch = file.with_suffix(".new")
    scratch.write_text(text)
    scratch.replace(file)


def test_expired_keys_are_waited_out_until_new_ones_are_saved(
    troubled: Troubled, tmp_path: Path
) -> None:
    keys = tmp_path / "credentials"
    write_keys(keys, "OLDKEY")
    expired: set[str] = set()
    troubled.maker.judge = lambda operation, count, key: "expire" if key in expired else "pass"
    environment = {
        "AWS_SHARED_CREDENTIALS_FILE": str(keys),
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
    }
    client = troubled.client
    worker = WorkerProcess(troubled.road, tmp_path / "home", module=ODD, **environment)
    with worker.wait_ready():
        for job_id in JOBS:
            client.send("1,2,3", job_id)
        eventually(lambda: len(starts(tmp_path / "home")) > 10, "the worker is in mid-run")
        expired.add("OLDKEY")
        eventually(lambda: worker.records("waiting"), "the worker says that it waits")
        keys.write_text("[default]\naws_access_key_id=NEWKEY\n")  # half saved
        assert worker.status is None
        write_keys(keys, "NEWKEY")
        replies = client.collect(len(JOBS), within_s=60)
        assert worker.status is None
    assert {reply.job_id for reply in replies} == set(JOBS)
    assert sorted(client.results()) == JOBS
    assert worker.records("waiting")[0]["trouble"] == "credentials"
    assert "canary" not in "".join(worker.lines)


def test_a_worker_starts_before_its_services_do(troubled: Troubled, tmp_path: Path) -> None:
    troubled.maker.judge = lambda operation, count, key: "drop"
    with WorkerProcess(troubled.road, tmp_path) as worker:
        eventually(lambda: worker.records("waiting"), "the worker says that it waits")
        assert "ready" not in worker.lines
        troubled.maker.judge = lambda operation, count, key: "pass"
        worker.wait_ready()


def test_sigterm_ends_a_worker_whose_services_are_gone(troubled: Troubled, tmp_path: Path) -> None:
    client = troubled.client
    with WorkerProcess(troubled.road, tmp_path, module=ODD).wait_ready() as worker:
        client.send("long 1", "held")
        eventually(lambda: starts(tmp_path) == ["held"], "the job runs")
        troubled.maker.judge = lambda operation, count, key: "drop"
        worker.terminate()
        assert worker.wait(12) == 0
    troubled.maker.judge = lambda operation, count, key: "pass"
    with WorkerProcess(troubled.road, tmp_path, module=ODD):
        (reply,) = client.collect(1)
    assert reply.job_id == "held"
