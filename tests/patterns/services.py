"""Runs the pattern's programs as a machine would: a process each, at an address of its own."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.databases.nodes import Node
from tests.patterns.corpus import TABLES

REMOTE = Path(__file__).resolve().parents[2] / "remote"
_WITHIN_S = 30.0


@contextmanager
def service(program: str, **environment: str) -> Iterator[str]:
    """Run a program until it is ready and give its URL; at the end it must stop in order."""
    address, port = _place()
    process = subprocess.Popen(
        [sys.executable, "-m", program],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REMOTE),
            "LISTEN": address,
            "PORT": str(port),
            **environment,
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    try:
        while '"ready"' not in said:
            line = process.stdout.readline()
            said += line
            assert line, f"{program} ended: {said}"
        yield f"http://{address}:{port}"
    finally:
        process.terminate()
        said += process.stdout.read()
        process.stdout.close()
        assert process.wait(_WITHIN_S) == 0, said
    assert '"stopped"' in said
    assert "Traceback" not in said


def _place() -> tuple[str, int]:
    chance = random.SystemRandom()
    address = f"127.{chance.randrange(100, 250)}.{chance.randrange(1, 255)}.9"
    with socket.create_server((address, 0)) as probe:
        port: int = probe.getsockname()[1]
    return address, port


def servers(nodes: Sequence[Node]) -> str:
    """Return what a proxy is told of these nodes."""
    primary, *replicas = nodes
    others = [f"{node.address}:{node.port}" for node in replicas]
    return ",".join([f"primary={primary.address}:{primary.port}", *others])


@dataclass(frozen=True)
class Chain:
    """The URLs of the three hops before the servers."""

    proxy: str
    trusted: str
    gatekeeper: str


@contextmanager
def chain(nodes: Sequence[Node], **limits: str) -> Iterator[Chain]:
    """Run proxy, trusted host and gatekeeper before these nodes."""
    with ExitStack() as ends:
        proxy = ends.enter_context(
            service("db_proxy", SERVERS=servers(nodes), SECRETS=str(nodes[0].secrets), **limits)
        )
        trusted = ends.enter_context(service("trusted_host", PROXY=proxy, TABLES=",".join(TABLES)))
        yield Chain(proxy, trusted, ends.enter_context(service("gatekeeper", TRUSTED=trusted)))


@dataclass(frozen=True)
class Answer:
    """What a service said."""

    status: int
    body: dict[str, Any]

    @property
    def error(self) -> str:
        """Why there is no answer."""
        return str(self.body.get("error", ""))


def ask(url: str, mode: str, query: str, **more: object) -> Answer:
    """Send one query and return the answer, whatever its status."""
    body = json.dumps({"mode": mode, "query": query, **more}).encode()
    return _answer(Request(f"{url}/query", body, {"Content-Type": "application/json"}))


def health(url: str) -> Answer:
    """Return what a service says of itself."""
    return _answer(Request(f"{url}/health"))


def _answer(request: Request) -> Answer:
    try:
        with urlopen(request, timeout=_WITHIN_S) as answer:
            return Answer(answer.status, json.loads(answer.read()))
    except HTTPError as error:
        with error:
            return Answer(error.code, json.loads(error.read()))
