"""Security groups: let go of by our own, never by changing what is somebody else's."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from labctl.errors import Interrupted, OwnershipError
from labctl.kinds.registry import kind
from tests.contract.bench import Bench, bench
from tests.contract.endpoints import Endpoint, endpoint
from tests.contract.kind_cases import model

__all__ = ["Endpoint", "bench", "endpoint"]

GROUP = kind("ec2.security_group")
OPEN = model("ec2.security_group", ingress=[{"port": 22, "from": "me"}])
TO_FRIENDS = model("ec2.security_group", ingress=[{"port": 80, "from": "friends"}])


def rules_of(bench: Bench, group_id: str) -> int:
    ec2 = bench.endpoint.client("ec2")
    (group,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    return len(group["IpPermissions"])


def test_a_group_that_ours_name_in_their_rules_goes(bench: Bench) -> None:
    friends = bench.make("friends", OPEN)
    other = bench.make("other", TO_FRIENDS)
    bench.delete("friends", OPEN, friends)
    assert bench.find("friends", OPEN) is None
    assert rules_of(bench, other.id) == 0


def test_a_group_that_opens_to_itself_is_made_kept_and_goes(bench: Bench) -> None:
    want = model("ec2.security_group", ingress=[{"port": 4567, "from": "peers"}])
    made = bench.make("peers", want)
    assert GROUP.changes(bench.context("peers", want), want, made) == []
    assert rules_of(bench, made.id) == 1
    bench.delete("peers", want, made)
    assert bench.find("peers", want) is None


def test_a_stranger_that_names_ours_is_left_alone_and_named(bench: Bench) -> None:
    friends = bench.make("friends", OPEN)
    ec2 = bench.endpoint.client("ec2")
    stranger = ec2.create_security_group(GroupName=f"x-{bench.session}", Description="theirs")
    pair = {"GroupId": friends.id}
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [pair]}
    ec2.authorize_security_group_ingress(GroupId=stranger["GroupId"], IpPermissions=[rule])
    with pytest.raises(OwnershipError, match=stranger["GroupId"]):
        GROUP.delete(bench.context("friends", OPEN), friends)
    assert rules_of(bench, stranger["GroupId"]) == 1
    ec2.delete_security_group(GroupId=stranger["GroupId"])


@pytest.fixture
def guards_groups_in_use(endpoint: Endpoint) -> None:
    if endpoint.name == "moto":
        pytest.skip("moto deletes a group though an instance is in it")


@pytest.mark.usefixtures("guards_groups_in_use")
def test_a_group_in_use_is_waited_for_until_it_is_free(bench: Bench) -> None:
    bench.make("ssh-key", model("ec2.key_pair"))
    group = bench.make("worker-access", OPEN)
    worker = bench.make("worker", model("ec2.instance", image="al2023"))
    said: list[str] = []

    def end_the_worker(message: str) -> None:
        if not said:
            bench.endpoint.client("ec2").terminate_instances(InstanceIds=[worker.id])
        said.append(message)

    context = dataclasses.replace(bench.context("worker-access", OPEN), progress=end_the_worker)
    GROUP.delete(context, group)
    assert "DependencyViolation" in said[0]
    assert bench.find("worker-access", OPEN) is None
    bench.standing.pop("worker-access")


@pytest.mark.usefixtures("guards_groups_in_use")
def test_a_group_lets_go_of_machines_that_have_another(bench: Bench) -> None:
    bench.make("ssh-key", model("ec2.key_pair"))
    bench.make("worker-access", OPEN)
    group = bench.make("further", OPEN)
    want = model("ec2.instance", image="al2023", groups=["further"])
    bench.make("worker", want)
    bench.delete("further", OPEN, group)
    assert bench.find("further", OPEN) is None
    worker = bench.find("worker", want)
    assert worker is not None
    assert worker.members[0]["State"]["Name"] == "running"


@pytest.mark.usefixtures("guards_groups_in_use")
def test_a_cancel_ends_the_wait_for_a_group_in_use(bench: Bench) -> None:
    bench.make("ssh-key", model("ec2.key_pair"))
    group = bench.make("worker-access", OPEN)
    bench.make("worker", model("ec2.instance", image="al2023"))
    cancelled = threading.Event()
    context = dataclasses.replace(
        bench.context("worker-access", OPEN),
        cancelled=cancelled,
        progress=lambda message: cancelled.set(),
    )
    with pytest.raises(Interrupted):
        GROUP.delete(context, group)
    assert bench.find("worker-access", OPEN) is not None
