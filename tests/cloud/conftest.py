"""A running local cloud for tests: one for all that only use it, one of its own for who harms it.

Both have a state folder of their own, so that tests run beside each other and beside a person's
own cloud.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.cloud import launch
from labctl.errors import TargetError
from tests.cloud.running import Cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud for everything that leaves it as it found it."""
    folder = tmp_path_factory.mktemp("cloud")
    running = Cloud(folder / "state", folder / "key")
    launch.ensure_started(running.state, tier="plain")
    yield running
    launch.stop(running.state)
    assert running.processes() == []


@pytest.fixture(scope="session")
def net_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud whose instances have their own root and network, where this system lets us."""
    folder = tmp_path_factory.mktemp("net")
    running = Cloud(folder / "state", folder / "key")
    try:
        launch.ensure_started(running.state, tier="net")
    except TargetError as error:
        pytest.skip(error.message)
    yield running
    launch.stop(running.state)
    assert running.processes() == []


@pytest.fixture
def own_cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud that a test may stop, kill and break."""
    running = Cloud(tmp_path / "state", tmp_path / "key")
    launch.ensure_started(running.state, tier="plain")
    yield running
    launch.stop(running.state)
    assert running.processes() == []


@pytest.fixture
def instance(cloud: Cloud) -> Iterator[str]:
    """An instance that SSH reaches."""
    (number,) = cloud.launch()
    cloud.place(number)
    yield number
    cloud.client("ec2").terminate_instances(InstanceIds=[number])
