"""Servers that speak AWS's protocols, each a process of its own, and the road of jobs on one."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.remote.waiting import eventually

REGION = "us-east-1"


@dataclass(frozen=True)
class Server:
    """One running endpoint."""

    url: str
    flavour: str  # "ministack", "moto" (made quick for tests) or "stock moto"
    access_key: str = "test"
    secret_key: str = "test"
    pid: int = 0  # of the process that answers; 0: not told

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        session = boto3.session.Session(
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )
        make: Any = session.client  # typed for literal names only
        config = Config(s3={"addressing_style": "path"}, max_pool_connections=32)
        return make(service, endpoint_url=self.url, config=config)

    def environment(self, home: Path) -> dict[str, str]:
        """Return what a program needs to find the services, and nothing of this process."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
        }


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_server(
    flavour: str, folder: Path, port: int, **environment: str
) -> subprocess.Popen[bytes]:
    """Start a server and return its process once it answers."""
    environment |= {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
    if flavour == "ministack":
        command = [sys.executable, "-m", "ministack"]
        environment |= {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"}
    else:
        server = "moto.server" if flavour == "stock moto" else "tests.remote.moto_server"
        command = [sys.executable, "-m", server, "-p", str(port)]
        environment["PYTHONPATH"] = str(ROOT)
    with (folder / f"{flavour}.log").open("ab") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        eventually(lambda: _answers(url_of(port)), "the server answers", 60)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def url_of(port: int) -> str:
    """Return the URL of a server on a port of the loopback address."""
    return f"http://127.0.0.1:{port}"


@contextmanager
def running(flavour: str, folder: Path) -> Iterator[Server]:
    """Run a server until the end of the block."""
    port = free_port()
    process = start_server(flavour, folder, port)
    try:
        yield Server(url_of(port), flavour)
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@dataclass(frozen=True)
class Road:
    """Two queues, a dead-letter queue, a table and a bucket, for one test alone."""

    server: Server
    requests: str
    responses: str
    dead: str
    results: str
    archive: str

    def environment(self, home: Path) -> dict[str, str]:
        """Return the environment of a worker on this road."""
        return {
            **self.server.environment(home),
            "REQUESTS": self.requests,
            "RESPONSES": self.responses,
            "RESULTS": self.results,
            "ARCHIVE": self.archive,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "remote"), str(ROOT)]),
        }


ROOT = Path(__file__).resolve().parents[2]


def new_road(server: Server, *, visibility_s: int = 30, receives: int = 5, mark: str = "") -> Road:
    """Create the resources of a road, under names that no other test has or with this mark."""
    mark = mark or secrets.token_hex(4)
    sqs, dynamodb, s3 = (server.client(name) for name in ("sqs", "dynamodb", "s3"))
    dead = sqs.create_queue(QueueName=f"dead-{mark}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": receives}
    requests = sqs.create_queue(
        QueueName=f"requests-{mark}",
        Attributes={
            "VisibilityTimeout": str(visibility_s),
            "RedrivePolicy": json.dumps(policy),
        },
    )["QueueUrl"]
    responses = sqs.create_queue(QueueName=f"responses-{mark}")["QueueUrl"]
    dynamodb.create_table(
        TableName=f"results-{mark}",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    s3.create_bucket(Bucket=f"archive-{mark}")
    return Road(server, requests, responses, dead, f"results-{mark}", f"archive-{mark}")


class WorkerProcess:
    """A worker as it runs on a machine: a process of its own, its output read line by line."""

    def __init__(
        self, road: Road, home: Path, *, module: str = "numbers_worker", **environment: str
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            env={**road.environment(home), **environment},
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self.lines.append(line.rstrip("\n"))

    def wait_ready(self) -> WorkerProcess:
        eventually(
            lambda: "ready" in self.lines or self.status is not None, "the worker is ready", 60
        )
        assert "ready" in self.lines, self.lines
        return self

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    @property
    def pid(self) -> int:
        return self._process.pid

    def records(self, event: str) -> list[dict[str, Any]]:
        """Return the structured lines of one event."""
        found = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [record for record in found if record["event"] == event]

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()
        self._reader.join(10)

    def terminate(self) -> None:
        """Ask it to end, as a service manager does."""
        self._process.terminate()

    def wait(self, timeout_s: float) -> int:
        """Return its exit status."""
        status = self._process.wait(timeout_s)
        self._reader.join(10)
        return status

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
