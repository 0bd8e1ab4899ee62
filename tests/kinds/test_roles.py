"""Roles of instances: launched once whatever crashes, never renumbered, ended for sure."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labctl.errors import Interrupted
from labctl.kinds.base import Actual, Context
from labctl.kinds.instance_launch import host_key_file
from labctl.kinds.registry import kind
from labctl.spec.fields import ResourceModel
from tests.contract.bench import Bench, bench
from tests.contract.endpoints import Endpoint, endpoint
from tests.contract.kind_cases import CASES
from tests.kinds.hiding import LateTarget

__all__ = ["bench", "endpoint"]

ROLE = kind("ec2.instance")


def role(count: int, **fields: Any) -> ResourceModel:  # noqa: ANN401 - as in a lab file
    return ROLE.model.model_validate(
        {"kind": "ec2.instance", "image": "al2023", "count": count, **fields}
    )


@pytest.fixture
def stand(bench: Bench) -> Bench:
    beside = CASES["role"].beside
    bench.make_all({name: beside[name] for name in ("ssh-key", "thing-access")})
    return bench


@pytest.fixture
def honest_tokens(endpoint: Endpoint) -> None:
    if endpoint.name == "moto":
        pytest.skip("moto ignores client tokens")


def ids(actual: Actual) -> list[str]:
    return [str(member["InstanceId"]) for member in actual.members]


def running(bench: Bench) -> list[str]:
    answer = bench.endpoint.client("ec2").describe_instances(
        Filters=[
            {"Name": "tag:labctl:session", "Values": [bench.session]},
            {"Name": "instance-state-name", "Values": ["pending", "running"]},
        ]
    )
    return [each["InstanceId"] for part in answer["Reservations"] for each in part["Instances"]]


def late(context: Context, *, looks: int, hidden: frozenset[str] | None = None) -> Context:
    return dataclasses.replace(
        context, target=LateTarget(context.target, looks=looks, hidden=hidden)
    )


def test_all_members_are_launched_by_one_call_and_watched_by_one(stand: Bench) -> None:
    start = len(stand.endpoint.calls.seen)
    actual = stand.make("thing", role(5))
    assert len(actual.members) == 5
    made = Counter(
        operation
        for _, operation, moment in stand.endpoint.calls.seen[start:]
        if moment == "before"
    )
    assert made["RunInstances"] == 1
    assert made["DescribeInstances"] < 30  # one each look, not one each member
    assert [member["Index"] for member in actual.members] == list(range(5))


@pytest.mark.usefixtures("honest_tokens")
def test_a_launch_that_nobody_can_see_yet_is_not_made_twice(stand: Bench) -> None:
    first = stand.make("thing", role(3))
    context = late(stand.context("thing", role(3)), looks=3)
    again = ROLE.create(context, role(3))
    assert ids(again) == ids(first)
    assert sorted(running(stand)) == sorted(ids(first))


def test_a_launch_that_is_seen_in_part_is_waited_for(stand: Bench) -> None:
    first = stand.make("thing", role(3))
    hidden = frozenset(ids(first)[1:])
    again = ROLE.create(late(stand.context("thing", role(3)), looks=3, hidden=hidden), role(3))
    assert ids(again) == ids(first)
    assert len(running(stand)) == 3


def test_a_member_that_ended_is_launched_anew_and_the_others_stay(stand: Bench) -> None:
    first = stand.make("thing", role(3))
    stand.endpoint.client("ec2").terminate_instances(InstanceIds=[ids(first)[1]])
    found = stand.find("thing", role(3))
    assert found is not None
    assert stand.changes("thing", role(3), found) == ["update count: 2 -> 3"]

    mended = stand.mend("thing", role(3), found)
    assert [ids(mended)[0], ids(mended)[2]] == [ids(first)[0], ids(first)[2]]
    assert ids(mended)[1] not in ids(first)


def test_all_members_that_ended_are_launched_anew(stand: Bench) -> None:
    first = stand.make("thing", role(1))
    stand.endpoint.client("ec2").terminate_instances(InstanceIds=ids(first))
    assert stand.find("thing", role(1)) is None
    again = stand.make("thing", role(1))
    assert not set(ids(again)) & set(ids(first))


def test_fewer_ends_the_last_and_more_adds_after_them(stand: Bench) -> None:
    first = stand.make("thing", role(3))
    fewer = stand.mend("thing", role(1), first)
    assert ids(fewer) == ids(first)[:1]
    assert running(stand) == ids(first)[:1]
    more = stand.mend("thing", role(2), fewer)
    assert ids(more)[0] == ids(first)[0]
    assert ids(more)[1] not in ids(first)


def test_an_end_is_waited_for_though_the_instance_cannot_be_seen(stand: Bench) -> None:
    actual = stand.make("thing", role(2))
    ROLE.delete(late(stand.context("thing", role(2)), looks=4), actual)
    assert running(stand) == []
    stand.standing.pop("thing")


def test_an_interrupted_launch_is_ended_though_the_ledger_does_not_know_it(stand: Bench) -> None:
    actual = stand.make("thing", role(2))
    only_one = dataclasses.replace(actual, id=ids(actual)[0], members=actual.members[:1])
    stand.delete("thing", role(2), only_one)
    assert running(stand) == []


def test_a_cancel_ends_the_wait(stand: Bench) -> None:
    cancelled = threading.Event()
    context = dataclasses.replace(
        late(stand.context("thing", role(1)), looks=10_000),
        cancelled=cancelled,
        progress=lambda message: cancelled.set(),
    )
    with pytest.raises(Interrupted):
        ROLE.create(context, role(1))
    found = stand.find("thing", role(1))
    assert found is not None  # what was launched is there to be picked up
    stand.standing["thing"] = found


def test_machines_are_launched_safe(stand: Bench) -> None:
    actual = stand.make("thing", role(1, disk="9GiB"))
    ec2 = stand.endpoint.client("ec2")
    (reservation,) = ec2.describe_instances(InstanceIds=ids(actual))["Reservations"]
    (instance,) = reservation["Instances"]
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    volumes = ec2.describe_volumes(
        Filters=[{"Name": "tag:labctl:session", "Values": [stand.session]}]
    )["Volumes"]
    assert [volume["Size"] for volume in volumes] == [9]
    stand.delete("thing", role(1), actual)
    left = ec2.describe_volumes(
        Filters=[{"Name": "tag:labctl:session", "Values": [stand.session]}]
    )["Volumes"]
    assert left == []


def test_the_host_key_is_pinned_before_the_launch(stand: Bench) -> None:
    actual = stand.make("thing", role(1))
    path = host_key_file(stand.context("thing", role(1)))
    kept = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert actual.attributes["host_key"] == kept["public"]
    answer = stand.endpoint.client("ec2").describe_instance_attribute(
        InstanceId=ids(actual)[0], Attribute="userData"
    )
    assert answer["UserData"].get("Value")
    path.unlink()
    found = stand.find("thing", role(1))
    assert found is not None
    assert stand.changes("thing", role(1), found) == ["replace host key: lost -> known"]


def test_a_volume_that_outlived_its_instance_is_found_and_deleted(stand: Bench) -> None:
    actual = stand.make("thing", role(1))
    ec2 = stand.endpoint.client("ec2")
    tags = [{"Key": key, "Value": value} for key, value in stand.context("thing").tags.items()]
    volume = ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=1,
        TagSpecifications=[{"ResourceType": "volume", "Tags": tags}],
    )["VolumeId"]
    ec2.terminate_instances(InstanceIds=ids(actual))
    stand.standing.pop("thing")

    def left() -> list[Actual]:
        found: list[Actual] = ROLE.list_tagged(
            stand.endpoint.target, {"labctl:session": stand.session}
        )
        return found

    assert volume in [each.id for each in left()]
    for each in left():
        ROLE.delete(stand.context("thing", role(1)), each)
    assert left() == []


def test_a_lost_private_key_replaces_the_key_and_the_machines(stand: Bench) -> None:
    want = kind("ec2.key_pair").model.model_validate({"kind": "ec2.key_pair"})
    actual = stand.make("thing", role(1))
    key = stand.standing["ssh-key"]
    path = Path(key.attributes["key_file"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")

    os.truncate(path, 20)
    assert "replace " in stand.changes("ssh-key", want, key)[0]
    stand.delete("ssh-key", want, key)
    assert not path.exists()
    stand.make("ssh-key", want)
    changes = stand.changes("thing", role(1), actual)
    assert [change.split(":")[0] for change in changes] == ["replace key"]
