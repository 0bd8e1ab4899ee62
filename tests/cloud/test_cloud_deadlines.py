"""A local instance ends itself at its deadline, with nothing of labctl there but the cloud."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from labctl.cloud import launch
from labctl.cloud.deadlines import ENDS_AT, passed_deadline
from labctl.transport.host_keys import new_host_key
from labctl.transport.user_data import user_data
from tests.cloud.running import Cloud, wait_for

LONG_S = 3600


def ends_in(seconds: float) -> str:
    return user_data(new_host_key(), ends_at=time.time() + seconds)


def launched(cloud: Cloud, *, seconds: float) -> str:
    """Launch as labctl does: an instance that ends itself is terminated."""
    (number,) = cloud.launch(
        UserData=ends_in(seconds), InstanceInitiatedShutdownBehavior="terminate"
    )
    return number


@pytest.mark.parametrize("content", ["", "soon", "nan", "\0", "\udcff", "9" * 400])
def test_an_odd_file_ends_nothing(tmp_path: Path, content: str) -> None:
    file = tmp_path / ENDS_AT
    file.parent.mkdir(parents=True)
    file.write_bytes(content.encode(errors="surrogateescape"))
    assert not passed_deadline(tmp_path, now=4e9)


def test_the_deadline_itself_has_passed(tmp_path: Path) -> None:
    assert not passed_deadline(tmp_path, now=4e9)
    (tmp_path / ENDS_AT).parent.mkdir(parents=True)
    (tmp_path / ENDS_AT).write_text("1000\n")
    assert not passed_deadline(tmp_path, now=999.9)
    assert passed_deadline(tmp_path, now=1000)


def test_it_ends_at_its_deadline_and_another_does_not(cloud: Cloud) -> None:
    brief, long = launched(cloud, seconds=2), launched(cloud, seconds=LONG_S)
    cloud.becomes(brief, "terminated")
    assert not cloud.root(brief).exists()
    assert cloud.state_of(long) in ("pending", "running")
    cloud.client("ec2").terminate_instances(InstanceIds=[long])


def test_one_that_passed_while_the_cloud_was_stopped_ends_it_at_the_next_start(
    own_cloud: Cloud,
) -> None:
    number = launched(own_cloud, seconds=LONG_S)
    file = own_cloud.root(number) / ENDS_AT
    wait_for(file.exists)
    own_cloud.becomes(number, "running")
    launch.stop(own_cloud.state)
    file.write_text(str(time.time() - 1))
    launch.ensure_started(own_cloud.state)
    own_cloud.becomes(number, "terminated")
