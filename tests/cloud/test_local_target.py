"""The local target: a cloud that starts by itself, and says where its machines are."""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.cloud import launch
from labctl.errors import TargetError
from labctl.targets.base import Moment, Target
from labctl.targets.local import LocalTarget
from tests.cloud.running import Cloud


@pytest.fixture
def target(cloud: Cloud) -> LocalTarget:
    return LocalTarget(cloud.state)


def test_it_is_a_target(target: LocalTarget) -> None:
    as_target: Target = target
    target.start()
    assert as_target.name == "local"
    assert as_target.endpoint is not None
    assert as_target.account() == "000000000000"
    assert as_target.caller_address() == "127.0.0.1/32"


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    launch.stop(tmp_path)


def test_it_starts_the_cloud_at_the_first_call_only(empty: Path) -> None:
    said: list[str] = []
    target = LocalTarget(empty, progress=said.append)
    assert launch.status(empty) is None
    assert target.abilities()
    assert launch.status(empty) is None
    assert target.client("sqs").list_queues()
    assert launch.status(empty) is not None
    assert any("starting" in line for line in said)


def test_every_request_is_told(cloud: Cloud) -> None:
    seen: list[tuple[str, str, Moment]] = []
    target = LocalTarget(cloud.state, on_call=lambda *call: seen.append(call))
    target.client("sqs").list_queues()
    assert seen == [("sqs", "ListQueues", "before"), ("sqs", "ListQueues", "after")]


def test_a_machine_has_its_place(cloud: Cloud, target: LocalTarget, instance: str) -> None:
    found = target.client("ec2").describe_instances(InstanceIds=[instance])
    machine = found["Reservations"][0]["Instances"][0]
    place = target.place(machine)
    assert place is not None
    assert place.address == machine["PublicIpAddress"]
    assert place.host_keys[0].startswith("ssh-ed25519 ")
    cloud.client("ec2").stop_instances(InstanceIds=[instance])
    cloud.becomes(instance, "stopped")
    assert target.place(machine) is None


@pytest.mark.parametrize(
    ("alias", "user"),
    [("ubuntu-24.04", "ubuntu"), ("ubuntu-22.04", "ubuntu"), ("al2023", "ec2-user")],
)
def test_images(target: LocalTarget, alias: str, user: str) -> None:
    image, login = target.image(alias)
    assert image.startswith("ami-")
    assert login == user
    assert target.image(image) == (image, user)
    assert target.refusal("ec2.instance", {"image": alias}) is None


def test_an_unknown_image_is_refused(target: LocalTarget) -> None:
    with pytest.raises(TargetError, match="windows") as refused:
        target.image("windows-2022")
    assert "ubuntu-24.04" in refused.value.hint
    reason = target.refusal("ec2.instance", {"image": "windows-2022"})
    assert reason is not None
    assert "windows-2022" in reason


def test_a_bucket_for_the_public_is_refused(target: LocalTarget) -> None:
    reason = target.refusal("s3.bucket", {"public": True})
    assert reason is not None
    assert "public" in reason
    assert target.refusal("s3.bucket", {"public": False}) is None


def test_environments(cloud: Cloud, target: LocalTarget) -> None:
    info = cloud.info
    workers = target.worker_environment()
    assert workers["AWS_ENDPOINT_URL"] == info.endpoint
    assert workers["AWS_REGION"] == info.region
    assert info.secret_key not in str(workers)
    student = target.student_environment()
    assert student["AWS_ACCESS_KEY_ID"] == info.access_key
    assert student["AWS_SECRET_ACCESS_KEY"] == info.secret_key
    assert student["AWS_ENDPOINT_URL"] == info.endpoint
    file = configparser.ConfigParser()
    file.read_string(target.worker_credentials() or "")
    assert file["default"]["aws_access_key_id"] == info.access_key
    assert file["default"]["aws_secret_access_key"] == info.secret_key


def test_abilities_say_what_this_machine_can(target: LocalTarget) -> None:
    abilities = {ability.name: ability for ability in target.abilities()}
    assert {"local cloud", "instances", "addresses", "ssh client", "disk", "python"} <= {*abilities}
    assert "plain" in abilities["instances"].detail
    assert all(ability.able or ability.remedy for ability in abilities.values())
