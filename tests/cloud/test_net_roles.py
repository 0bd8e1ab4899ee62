"""What an instance of the tier `net` is told about itself, and whom its groups let in."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labctl.cloud.layout import Layout
from labctl.cloud.metadata import RoleKeys
from labctl.cloud.session_keys import Keyring, begin_era
from tests.cloud.running import IMAGE, Cloud, wait_for

SERVICE = "http://169.254.169.254/latest"
TOKEN = f"$(curl -sX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {SERVICE}/api/token)"
FROM_HERE = {
    "IpProtocol": "tcp",
    "FromPort": 22,
    "ToPort": 22,
    "IpRanges": [{"CidrIp": "127.0.0.1/32"}],
}
LISTEN = "(setsid python3 -m http.server --bind 0.0.0.0 {0} >/dev/null 2>&1 </dev/null &)"


@pytest.fixture(scope="module")
def machines(net_cloud: Cloud) -> Iterator[dict[str, str]]:
    """A database that only the proxy's group may call, on 3306, and a stranger; the first has
    a role."""
    ec2, iam = net_cloud.client("ec2"), net_cloud.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust)
    iam.create_instance_profile(InstanceProfileName="readers")
    iam.add_role_to_instance_profile(InstanceProfileName="readers", RoleName="reader")
    groups = {
        name: ec2.create_security_group(GroupName=name, Description=name)["GroupId"]
        for name in ("database", "proxy", "stranger")
    }
    permission = opening(groups["proxy"], 3306)
    ec2.authorize_security_group_ingress(GroupId=groups["database"], IpPermissions=[permission])
    for group in groups.values():
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[FROM_HERE])
    profile = {"IamInstanceProfile": {"Name": "readers"}}
    options: dict[str, dict[str, Any]] = {
        "database": {**profile, "UserData": "#!/bin/sh\necho once\n"}
    }
    found = {}
    for name, group in groups.items():
        (found[name],) = net_cloud.launch(SecurityGroupIds=[group], **options.get(name, {}))
    for name, number in list(found.items()):
        net_cloud.place(number)
        found[f"{name}'s group"] = groups[name]
    for port in (3306, 3307):
        net_cloud.out(found["database"], LISTEN.format(port))
        ask = f"curl -sf --retry 9 --retry-connrefused -o /dev/null localhost:{port}"
        net_cloud.out(found["database"], ask)
    yield found
    ec2.terminate_instances(InstanceIds=[found[name] for name in groups])


def opening(group: str, port: int) -> dict[str, Any]:
    pairs = [{"GroupId": group}]
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": pairs}


def asked(cloud: Cloud, instance: str, path: str) -> str:
    """Return what the metadata service says, with the status in a line of its own."""
    header = f'-H "X-aws-ec2-metadata-token: {TOKEN}"'
    return cloud.out(instance, f"curl -s -w '\\n%{{http_code}}' {header} {SERVICE}/{path}")


def address_of(cloud: Cloud, instance: str) -> str:
    found = cloud.client("ec2").describe_instances(InstanceIds=[instance])
    return str(found["Reservations"][0]["Instances"][0]["PrivateIpAddress"])


def test_it_is_told_who_it_is(net_cloud: Cloud, machines: dict[str, str]) -> None:
    number = machines["database"]
    told = {
        "meta-data/instance-id": number,
        "meta-data/ami-id": IMAGE,
        "meta-data/local-ipv4": address_of(net_cloud, number),
        "meta-data/placement/availability-zone": "us-east-1a",
        "meta-data/iam/security-credentials/": "reader",
        "user-data": "#!/bin/sh\necho once\n",
    }
    for path, text in told.items():
        assert asked(net_cloud, number, path) == f"{text}\n200"
    assert asked(net_cloud, machines["proxy"], "meta-data/instance-id").startswith(
        machines["proxy"]
    )
    assert asked(net_cloud, number, "meta-data/nothing") == "\n404"
    assert asked(net_cloud, machines["proxy"], "meta-data/iam/") == "\n404"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (f"{SERVICE}/meta-data/instance-id", "401"),  # the first version: no token
        (f"-H 'X-aws-ec2-metadata-token: made-up' {SERVICE}/meta-data/", "401"),
        (f"-X PUT {SERVICE}/api/token", "400"),
        (f"-X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 99999' {SERVICE}/api/token", "400"),
        (
            "-X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' -H 'X-Forwarded-For: 1.2.3.4'"
            f" {SERVICE}/api/token",
            "403",
        ),
        (f"-X POST -d x {SERVICE}/meta-data/", "405"),
    ],
)
def test_who_does_not_ask_rightly_is_refused(
    net_cloud: Cloud, machines: dict[str, str], request_: str, status: str
) -> None:
    command = f"curl -s -o /dev/null -w '%{{http_code}}' {request_}"
    assert net_cloud.out(machines["database"], command) == status


def test_boto3_finds_everything_by_itself(net_cloud: Cloud, machines: dict[str, str]) -> None:
    code = (
        "import boto3\n"
        "session = boto3.Session()\n"
        "assert session.get_credentials().method == 'iam-role'\n"
        "print(session.client('sqs').create_queue(QueueName='from-inside')['QueueUrl'])\n"
    )
    alone = net_cloud.ssh(
        machines["database"], "env -i ~/.labctl/venv/bin/python3 -", stdin=code.encode()
    )
    assert b"from-inside" in alone.stdout, alone.stderr
    queues = net_cloud.client("sqs").list_queues(QueueNamePrefix="from-inside")
    assert len(queues["QueueUrls"]) == 1
    none = net_cloud.ssh(machines["proxy"], "python3 -", stdin=code.encode())
    assert b"NoneType" in none.stderr


def test_the_keys_of_a_role_are_renewed(tmp_path: Path) -> None:
    era_file = Layout(tmp_path).session_era
    keys = RoleKeys(Keyring("secret"), era_file)
    first = keys.now()
    assert keys.now() is first  # the same for a while
    begin_era(era_file)
    assert keys.now().access_key != first.access_key  # those of an ended era are of no use


def test_groups_let_in_whom_they_name(net_cloud: Cloud, machines: dict[str, str]) -> None:
    ec2, database = net_cloud.client("ec2"), address_of(net_cloud, machines["database"])

    def status(caller: str, port: int) -> int:
        ask = f"curl -s -m 5 -o /dev/null http://{database}:{port}/"
        return net_cloud.ssh(machines[caller], ask).returncode

    refused = 7  # at once; 28 would be the end of curl's patience
    assert status("proxy", 3306) == 0
    for caller, port in (("proxy", 3307), ("proxy", 22), ("stranger", 3306)):
        assert status(caller, port) == refused
    group, permission = machines["database's group"], opening(machines["stranger's group"], 3307)
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    wait_for(lambda: status("stranger", 3307) == 0)
    assert status("stranger", 3306) == refused
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])
    wait_for(lambda: status("stranger", 3307) == refused)
    # A machine that changes its group is let in by that.
    groups = [machines["proxy's group"]]
    ec2.modify_instance_attribute(InstanceId=machines["stranger"], Groups=groups)
    wait_for(lambda: status("stranger", 3306) == 0)


def test_the_real_machine_is_let_in_by_groups_only(
    net_cloud: Cloud, machines: dict[str, str]
) -> None:
    group, number = machines["database's group"], machines["database"]
    ec2 = net_cloud.client("ec2")
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[FROM_HERE])
    wait_for(lambda: net_cloud.ssh(number, "true").returncode == 255)
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[FROM_HERE])
    wait_for(lambda: net_cloud.ssh(number, "true").returncode == 0)


def test_the_real_machine_reaches_what_is_open_to_it(
    net_cloud: Cloud, machines: dict[str, str]
) -> None:
    place, ec2 = net_cloud.place(machines["database"]), net_cloud.client("ec2")

    def answers() -> bool:
        ask = ["curl", "-s", "-m", "5", "-o", "/dev/null", f"http://{place.address}:3306/"]
        return subprocess.run(ask).returncode == 0

    rule = {**FROM_HERE, "FromPort": 3300, "ToPort": 3310}
    group = machines["database's group"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    wait_for(answers)
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
    wait_for(lambda: not answers())


def test_the_real_machine_reaches_no_other_port(net_cloud: Cloud, machines: dict[str, str]) -> None:
    place = net_cloud.place(machines["database"])
    # (Its private address may be somebody else's in the real machine's own network.)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((place.address, 3306), timeout=5)
