"""The images worker as it runs on a machine, against real servers and under real kills."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from images_worker.gallery import MOST_BYTES, Gallery
from images_worker.names import read_name
from images_worker.refusals import Refused
from job_runtime.cloud import Cloud
from tests.remote import drawings
from tests.remote.aws import Road, Server, WorkerProcess, new_road
from tests.remote.client import Client, Reply
from tests.remote.drawings import colourful, decoded, encoded
from tests.remote.hostile import BAD_IDS, BODIES
from tests.remote.processes import alive, memory_mib, studios_of
from tests.remote.troublemaker import troublemaker
from tests.remote.waiting import eventually

CORES = len(os.sched_getaffinity(0))


class Lab:
    """A road with a bucket of pictures, and what a client does with it."""

    def __init__(self, road: Road, bucket: str) -> None:
        self.road = road
        self.bucket = bucket
        self.client = Client(road)
        self._s3 = road.server.client("s3")

    def upload(self, name: str, data: bytes, *, folder: str = "images/unprocessed/") -> None:
        self._s3.put_object(Bucket=self.bucket, Key=folder + name, Body=data)

    def ask(self, name: str, **attributes: str) -> None:
        self.client.sqs.send_message(
            QueueUrl=self.road.requests,
            MessageBody=name,
            MessageAttributes={
                key: {"DataType": "String", "StringValue": text} for key, text in attributes.items()
            },
        )

    def result(self, name: str) -> tuple[Image.Image, str]:
        """Return a processed picture and the media type it was stored with."""
        answer = self._s3.get_object(Bucket=self.bucket, Key=f"images/processed/{name}")
        return decoded(answer["Body"].read()), answer["ContentType"]

    def stored(self) -> set[str]:
        """Return every key in the bucket."""
        listed = self._s3.list_objects_v2(Bucket=self.bucket)
        return {item["Key"] for item in listed.get("Contents", [])}

    def worker(self, home: Path, **environment: str) -> WorkerProcess:
        return WorkerProcess(
            self.road, home, module="images_worker", **{"PICTURES": self.bucket, **environment}
        )


def new_lab(server: Server, *, visibility_s: int = 30) -> Lab:
    road = new_road(server, visibility_s=visibility_s)
    bucket = f"pictures-{secrets.token_hex(4)}"
    server.client("s3").create_bucket(Bucket=bucket)
    return Lab(road, bucket)


@pytest.fixture
def lab(ministack: Server) -> Lab:
    return new_lab(ministack)


def by_job(replies: list[Reply]) -> dict[str, tuple[str, str]]:
    return {
        reply.job_id or "": (reply.attributes.get("state", ""), reply.body) for reply in replies
    }


def job_folders(home: Path) -> list[Path]:
    return list((home / ".labctl" / "spool" / "pictures").glob("*/job-*"))


def test_a_picture_is_worked_stored_and_answered(each_server: Server, tmp_path: Path) -> None:
    lab = new_lab(each_server)
    lab.upload("a.jpg", drawings.telling("PNG"))  # under a name that lies
    lab.upload("b.webp", drawings.telling("JPEG"))
    with lab.worker(tmp_path).wait_ready():
        lab.ask("a.jpg", job_id="plain")
        lab.ask("b.webp", job_id="small", op="thumbnail")
        lab.ask("b.webp", job_id="odd", op="../rotate")
        lab.ask("c.png", job_id="missing")
        replies = by_job(lab.client.collect(4))
        assert job_folders(tmp_path) == []
    assert replies["plain"] == ("done", "a.jpg")
    assert replies["small"] == ("done", "b.webp")
    assert replies["odd"][0] == "failed"
    assert replies["odd"][1].startswith("?Error. no such operation; there are: blur, bw, contrast")
    assert replies["missing"] == ("failed", "?Error. there is no picture of this name")
    assert {name: state for name, (state, _) in replies.items()} == {
        job_id: item["state"] for job_id, item in lab.client.results().items()
    }
    for name, format_, media in (("a.jpg", "JPEG", "image/jpeg"), ("b.webp", "WEBP", "image/webp")):
        picture, stored_as = lab.result(name)
        assert (picture.format, stored_as) == (format_, media)


def test_an_original_client_gets_the_name_back(lab: Lab, tmp_path: Path) -> None:
    lab.upload("a.png", encoded(colourful(), "PNG"))
    with lab.worker(tmp_path).wait_ready():
        lab.ask("a.png")
        (reply,) = lab.client.collect(1)
    assert (reply.body, reply.attributes) == ("a.png", {})
    assert lab.result("a.png")[0].mode == "1"


def test_bombs_and_broken_pictures_fail_alone_in_little_memory(lab: Lab, tmp_path: Path) -> None:
    whole = encoded(colourful(), "JPEG")
    bad = {
        "bomb.png": (drawings.png_bomb(), "more than 25 million pixels"),
        "wide.jpg": (encoded(Image.new("L", (6000, 5000)), "JPEG"), "more than 25 million pixels"),
        "zero.gif": (b"", "no bytes"),
        "text.tif": (b"I am no picture", "no picture of a known kind"),
        "half.jpg": (whole[: len(whole) // 2], "broken or cut short"),
        "heavy.bmp": (whole + bytes(MOST_BYTES), "more than 20 MiB"),
    }
    for name, (data, _) in bad.items():
        lab.upload(name, data)
    lab.upload("good.jpg", whole)
    with lab.worker(tmp_path).wait_ready() as worker:
        studios = studios_of(worker.pid)
        assert len(studios) == CORES
        for number in range(3):
            for name in (*bad, "good.jpg"):
                lab.ask(name, job_id=f"{name}-{number}", op="edges")
        replies = by_job(lab.client.collect(3 * len(bad) + 3))
        assert studios_of(worker.pid) == studios
        peaks = [memory_mib(pid, peak=True) for pid in (worker.pid, *studios)]
        eventually(lambda: job_folders(tmp_path) == [], "the folders are removed")
    for number in range(3):
        assert replies[f"good.jpg-{number}"] == ("done", "good.jpg")
        for name, (_, reason) in bad.items():
            state, text = replies[f"{name}-{number}"]
            assert (state, text[:8]) == ("failed", "?Error. ")
            assert reason in text
    assert {key for key in lab.stored() if "/processed/" in key} == {"images/processed/good.jpg"}
    assert sum(peaks) < 300 + 50 * max(0, CORES - 2)  # MiB; a studio takes some 40


def test_hostile_names_reach_nothing(lab: Lab, tmp_path: Path) -> None:
    lab.upload("a.png", encoded(colourful(), "PNG"))
    lab.upload("secret.png", encoded(colourful(), "PNG"), folder="images/")
    names = [*BODIES, *(f"{bad}.png" for bad in BAD_IDS), "../secret.png", "a.png\n", "A.PNG/"]
    with lab.worker(tmp_path).wait_ready() as worker:
        before = {path for path in tmp_path.rglob("*") if path.is_file()}
        keys = lab.stored()
        for number, name in enumerate(names):
            lab.ask(name, job_id=f"job-{number}")
        lab.ask("a.png", job_id="op", op="\u202e[/x]${jndi}")
        replies = lab.client.collect(len(names) + 1, within_s=60)
        assert worker.status is None
        eventually(lambda: lab.client.depth() == (0, 0), "the requests are deleted")
        assert {path for path in tmp_path.rglob("*") if path.is_file()} <= {
            *before,
            *tmp_path.glob(".labctl/spool/*/*"),
        }
    assert len(replies) == len(names) + 1
    for reply in replies:
        assert reply.attributes["state"] == "failed"
        assert reply.body.startswith("?Error. ")
        assert reply.body.isascii()
        assert reply.body.isprintable()
        assert len(reply.body) < 250
    assert lab.stored() == keys
    assert all(line.isascii() and line.isprintable() for line in worker.lines)


def test_a_killed_worker_leaves_no_process_and_the_next_no_folder(
    ministack: Server, tmp_path: Path
) -> None:
    lab = new_lab(ministack, visibility_s=2)
    jobs = [f"{number}.png" for number in range(CORES)]
    large = encoded(Image.new("RGB", (4200, 3000), "teal"), "PNG", compress_level=1)
    for name in jobs:
        lab.upload(name, large)
    with lab.worker(tmp_path).wait_ready() as worker:
        studios = studios_of(worker.pid)
        for name in jobs:
            lab.ask(name, job_id=name, op="sharpen")
        # Every core works: all studios have a picture of fifty MiB and its result in hand.
        eventually(lambda: all(memory_mib(pid) > 85 for pid in studios), "all are at work")
        worker.kill()
    eventually(lambda: not any(alive(pid) for pid in studios), "no process is left", 2)
    left = job_folders(tmp_path)
    assert len(left) >= len(jobs)
    assert not all((folder / "out").exists() for folder in left)  # they did not end their work
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in left)
    with lab.worker(tmp_path).wait_ready():
        replies = by_job(lab.client.collect(len(jobs), within_s=60))
        assert not {folder for folder in left if folder.exists()}
    assert replies == {name: ("done", name) for name in jobs}


def test_killed_studios_cost_no_job(lab: Lab, tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(20)]
    for name in names:
        lab.upload(name, encoded(colourful(600, 400), "PNG"))
    with lab.worker(tmp_path).wait_ready() as worker:
        first = studios_of(worker.pid)
        for name in names:
            lab.ask(name, job_id=name, op="blur")
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        replies = by_job(lab.client.collect(len(names)))
        assert not set(first) & set(studios_of(worker.pid))
    assert replies == {name: ("done", name) for name in names}


def test_sigterm_to_the_whole_group_finishes_what_is_worked(lab: Lab, tmp_path: Path) -> None:
    lab.upload("a.png", encoded(Image.new("RGB", (4000, 3000), "teal"), "PNG", compress_level=1))
    with lab.worker(tmp_path).wait_ready() as worker:
        studios = studios_of(worker.pid)
        lab.ask("a.png", job_id="a", op="blur")
        eventually(lambda: any(memory_mib(pid) > 70 for pid in studios), "it is worked")
        for pid in studios:
            os.kill(pid, signal.SIGTERM)
        worker.terminate()
        assert worker.wait(10) == 0
    assert by_job(lab.client.collect(1, within_s=5)) == {"a": ("done", "a.png")}
    assert not any(alive(pid) for pid in studios)
    assert job_folders(tmp_path) == []


def test_a_store_in_trouble_costs_no_job(ministack: Server, tmp_path: Path) -> None:
    straight = new_lab(ministack)
    names = [f"{number}.png" for number in range(3)]
    for name in names:
        straight.upload(name, encoded(colourful(), "PNG"))
    with troublemaker(ministack) as (maker, endpoint):
        maker.judge = lambda operation, count, key: (
            ("throttle", "drop", "drop-answer")[count - 1]
            if operation in ("GET", "PUT") and count <= 3
            else "pass"
        )
        troubled = Lab(replace(straight.road, server=endpoint), straight.bucket)
        with troubled.worker(tmp_path).wait_ready():
            for name in names:
                straight.ask(name, job_id=name)
            replies = by_job(straight.client.collect(len(names), within_s=60))
    assert replies == {name: ("done", name) for name in names}
    assert all(straight.result(name)[0].mode == "1" for name in names)


@pytest.mark.parametrize("missing", ["REQUESTS", "PICTURES"])
def test_a_worker_that_was_told_too_little_says_so(lab: Lab, tmp_path: Path, missing: str) -> None:
    with lab.worker(tmp_path, **{missing: ""}) as worker:
        assert worker.wait(30) == 2
    assert missing in worker.records("failed")[0]["error"]


def test_a_bucket_that_is_not_there_is_an_answer(lab: Lab, tmp_path: Path) -> None:
    with lab.worker(tmp_path, PICTURES="never-made").wait_ready():
        lab.ask("a.png", job_id="a")
        replies = by_job(lab.client.collect(1))
    assert replies == {"a": ("failed", "?Error. the bucket refuses: NoSuchBucket")}


@contextmanager
def half_server(
    monkeypatch: pytest.MonkeyPatch, home: Path, data: bytes, *, promised: int
) -> Iterator[tuple[Gallery, list[bytes]]]:
    """Run a store that breaks off its first download and refuses its first, read, upload."""
    kept: list[bytes] = []
    downloads: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            downloads.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if len(downloads) == 1 else data)
            self.close_connection = len(downloads) == 1

        def do_PUT(self) -> None:
            kept.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(503 if len(kept) == 1 else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    for name, value in Server(url, "half").environment(home).items():
        monkeypatch.setenv(name, value)
    try:
        yield Gallery(Cloud(), "pictures"), kept
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.mark.parametrize("size", [1000, 3 * 2**20])
def test_half_a_transfer_is_begun_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int
) -> None:
    data = os.urandom(size)
    with half_server(monkeypatch, tmp_path, data, promised=size) as (gallery, kept):
        gallery.fetch(read_name("a.png"), tmp_path / "in")
        assert (tmp_path / "in").read_bytes() == data
        gallery.store(tmp_path / "in", read_name("a.png"))
        assert kept == [data, data]


def test_a_picture_of_too_many_bytes_is_not_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (
        half_server(monkeypatch, tmp_path, b"", promised=MOST_BYTES + 1) as (gallery, _),
        pytest.raises(Refused, match="20 MiB"),
    ):
        gallery.fetch(read_name("a.png"), tmp_path / "in")
    assert not (tmp_path / "in").exists()
