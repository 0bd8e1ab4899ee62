"""The dated log: several workers append to one object, and no line is lost or written twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from job_runtime.cloud import Cloud
from job_runtime.dated_log import LOG_KEY, DatedLog
from job_runtime.spool import Spool
from tests.remote.aws import Server, new_road


@pytest.fixture
def place(cloud_of_each: tuple[Cloud, Server]) -> tuple[Cloud, Any, str]:
    cloud, server = cloud_of_each
    return cloud, server.client("s3"), new_road(server).archive


def contents(s3: Any, bucket: str) -> dict[str, list[str]]:  # noqa: ANN401 - boto3's client
    found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {
        entry["Key"]: s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"]
        .read()
        .decode()
        .splitlines()
        for entry in found
    }


def folder(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


def test_the_server_honours_conditional_writes(place: tuple[Cloud, Any, str]) -> None:
    _, s3, bucket = place
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=tag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"4", IfMatch=tag)


def test_workers_that_write_at_once_lose_no_line(
    place: tuple[Cloud, Any, str], tmp_path: Path
) -> None:
    cloud, s3, bucket = place
    logs = [DatedLog(cloud, bucket, folder(tmp_path, str(number))) for number in range(4)]

    def write(number: int) -> None:
        for line in range(15):
            logs[number].append([f"worker {number} line {line:02}"])
            logs[number].ship()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    lines = contents(s3, bucket)[LOG_KEY]
    assert sorted(lines) == [f"worker {n} line {i:02}" for n in range(4) for i in range(15)]
    for number in range(4):
        own = [line for line in lines if line.startswith(f"worker {number} ")]
        assert own == sorted(own)


def test_a_batch_that_a_killed_worker_shipped_is_not_shipped_again(
    place: tuple[Cloud, Any, str], tmp_path: Path
) -> None:
    cloud, s3, bucket = place
    spooled = Spool(tmp_path)
    spooled.append(["2026-01-01 one", "2026-01-01 two"])
    (batch,) = spooled.batches()
    content = batch.read_bytes()
    DatedLog(cloud, bucket, tmp_path).ship()
    batch.write_bytes(content)  # as if the kill came before the batch was removed
    spooled.append(["2026-01-02 three"])
    DatedLog(cloud, bucket, tmp_path).ship()
    assert contents(s3, bucket) == {
        LOG_KEY: ["2026-01-01 one", "2026-01-01 two", "2026-01-02 three"]
    }
    assert list(tmp_path.glob("batch-*")) == []


def test_what_a_killed_worker_left_on_disk_is_shipped_by_the_next(
    place: tuple[Cloud, Any, str], tmp_path: Path
) -> None:
    cloud, s3, bucket = place
    DatedLog(cloud, bucket, tmp_path).append(["left behind"])
    DatedLog(cloud, bucket, tmp_path).ship()
    assert contents(s3, bucket) == {LOG_KEY: ["left behind"]}


def test_a_full_log_is_kept_under_its_date(place: tuple[Cloud, Any, str], tmp_path: Path) -> None:
    cloud, s3, bucket = place
    log = DatedLog(cloud, bucket, folder(tmp_path, "a"))
    other = DatedLog(cloud, bucket, folder(tmp_path, "b"))
    lines = [f"{number:06} {'x' * 90}" for number in range(24_000)]
    for start in range(0, len(lines), 3000):
        writer = log if start % 2000 else other
        writer.append(lines[start : start + 3000])
        writer.ship()
    found = contents(s3, bucket)
    assert len(found) == 3
    assert all(key == LOG_KEY or key.startswith("log-20") for key in found)
    in_order = [
        line for key in sorted(found, key=lambda key: (key == LOG_KEY, key)) for line in found[key]
    ]
    assert in_order == lines


def test_it_ships_about_every_second(place: tuple[Cloud, Any, str], tmp_path: Path) -> None:
    from tests.remote.waiting import eventually

    cloud, s3, bucket = place
    log, end = DatedLog(cloud, bucket, tmp_path), threading.Event()
    thread = threading.Thread(target=log.ship_until, args=[end])
    thread.start()
    log.append(["soon there"])
    eventually(lambda: contents(s3, bucket) == {LOG_KEY: ["soon there"]}, "the line is shipped")
    end.set()
    thread.join(10)
    assert not thread.is_alive()
