"""The endpoints that every kind is held to: the cloud that labctl embeds, and moto's server.

One of each for a test process, on free ports, ended with it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from labctl.cloud import launch
from labctl.targets.base import Moment, Target
from labctl.targets.endpoint import EndpointTarget
from labctl.targets.local import LocalTarget
from tests.remote.aws import ROOT

_STARTS_WITHIN_S = 60.0


@dataclass
class Calls:
    """Every call that left for an endpoint: (service, operation), with the moment."""

    seen: list[tuple[str, str, Moment]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, service: str, operation: str, moment: Moment) -> None:
        with self._lock:
            self.seen.append((service, operation, moment))

    def since(self, start: int) -> set[tuple[str, str]]:
        return {(service, operation) for service, operation, _ in self.seen[start:]}


@dataclass(frozen=True)
class Endpoint:
    """A running endpoint, a target on it, and the calls that the target has made."""

    name: str
    target: Target
    calls: Calls

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        """Return a client for what somebody else does there: its calls are not counted."""
        return self.target.client(service)


@pytest.fixture(scope="session", params=["local", "moto"])
def endpoint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Endpoint]:
    folder = tmp_path_factory.mktemp(f"endpoint-{request.param}")
    with (local_cloud if request.param == "local" else moto_server)(folder) as found:
        yield found


@contextmanager
def local_cloud(folder: Path) -> Iterator[Endpoint]:
    """Run an embedded cloud of its own for as long as the block lasts."""
    calls = Calls()
    target = LocalTarget(folder, on_call=calls)
    try:
        target.start()
        yield Endpoint("local", target, calls)
    finally:
        launch.stop(folder)


@contextmanager
def moto_server(folder: Path) -> Iterator[Endpoint]:
    """Run moto's server as a process of its own for as long as the block lasts."""
    port = _free_port()
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.remote.moto_server", "-p", str(port)],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_listening(process, port, folder / "log")
        calls = Calls()
        yield Endpoint("moto", _target(f"http://127.0.0.1:{port}", calls), calls)
    finally:
        process.kill()
        process.wait(timeout=10)


def _target(url: str, calls: Calls) -> EndpointTarget:
    target = EndpointTarget(url, on_call=calls)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "contract")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "contract-secret")
        target.account()  # the chain is read at the first call and kept
    return target


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline, pause = time.monotonic() + _STARTS_WITHIN_S, threading.Event()
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            pause.wait(0.05)
        else:
            return
    raise AssertionError(f"the endpoint did not start: {log.read_text()[-2000:]}")
