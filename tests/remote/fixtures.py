"""The fixtures of everything that needs queues, a table and a bucket to talk to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from job_runtime.cloud import Cloud
from tests.remote.aws import Road, Server, new_road, running


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running("ministack", tmp_path_factory.mktemp("ministack")) as server:
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running("moto", tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(params=["ministack", "moto"])
def each_server(request: pytest.FixtureRequest) -> Server:
    server = request.getfixturevalue(request.param)
    assert isinstance(server, Server)
    return server


@pytest.fixture
def road(ministack: Server) -> Road:
    return new_road(ministack)


@pytest.fixture
def cloud_of_each(
    each_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Cloud, Server]:
    """A worker's own calls to each server, configured by the environment as on a machine."""
    for name, value in each_server.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return Cloud(threading.Event()), each_server


@pytest.fixture
def aws_environment(ministack: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and region in this process's environment, as a person has them."""
    for name, value in ministack.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
