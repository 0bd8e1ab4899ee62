"""The two emulators as processes of a benchmark's own, and the road of jobs on one of them."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

FLAVOURS = ("ministack", "moto")
_STARTS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Endpoint:
    """One running emulator."""

    url: str
    flavour: str

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        """Return a client as a program with `environment()` has it."""
        session = boto3.Session("test", "test", region_name="us-east-1")
        make: Any = session.client  # typed for literal names only
        return make(service, endpoint_url=self.url, config=Config(max_pool_connections=32))

    def environment(self) -> dict[str, str]:
        """Return what a worker needs to find the services."""
        return {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
        }


@contextmanager
def running(flavour: str) -> Iterator[Endpoint]:
    """Run an emulator until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = {
        "ministack": [sys.executable, "-m", "ministack"],
        "moto": [str(Path(sys.executable).with_name("moto_server")), "-p", str(port)],
    }[flavour]
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "TMPDIR": folder,
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
        }
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=quiet, stderr=quiet)
        try:
            _wait_until_it_answers(url)
            yield Endpoint(url, flavour)
        finally:
            process.kill()
            process.wait()


def _wait_until_it_answers(url: str) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
            continue
        return
    raise SystemExit(f"no answer from {url}")


@dataclass(frozen=True)
class Road:
    """Two queues, a table and a bucket, named by a mark that no other road has."""

    endpoint: Endpoint
    requests: str
    responses: str
    results: str
    archive: str

    def environment(self) -> dict[str, str]:
        """Return the environment of a worker on this road."""
        remote = Path(__file__).resolve().parents[1] / "remote"
        return {
            **self.endpoint.environment(),
            "REQUESTS": self.requests,
            "RESPONSES": self.responses,
            "RESULTS": self.results,
            "ARCHIVE": self.archive,
            "PYTHONPATH": str(remote),
        }


def new_road(endpoint: Endpoint) -> Road:
    """Create the resources of a road."""
    mark = secrets.token_hex(4)
    sqs, dynamodb, s3 = (endpoint.client(name) for name in ("sqs", "dynamodb", "s3"))
    dead = sqs.create_queue(QueueName=f"dead-{mark}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": 5}
    attributes = {"VisibilityTimeout": "60", "RedrivePolicy": json.dumps(policy)}
    requests = sqs.create_queue(QueueName=f"requests-{mark}", Attributes=attributes)["QueueUrl"]
    responses = sqs.create_queue(QueueName=f"responses-{mark}")["QueueUrl"]
    dynamodb.create_table(
        TableName=f"results-{mark}",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    s3.create_bucket(Bucket=f"archive-{mark}")
    return Road(endpoint, requests, responses, f"results-{mark}", f"archive-{mark}")
