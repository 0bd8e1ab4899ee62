"""What the emulator alone only pretends to do, and does here."""

from __future__ import annotations

import base64
import ipaddress
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from labctl.cloud.images import IMAGES
from tests.cloud.running import IMAGE, Cloud, wait_for


@pytest.fixture
def ec2(cloud: Cloud) -> Any:  # noqa: ANN401 - boto3's own type
    return cloud.client("ec2")


@pytest.fixture
def made(cloud: Cloud, ec2: Any) -> Iterator[list[str]]:  # noqa: ANN401 - as above
    """Ids of instances to terminate at the end."""
    ids: list[str] = []
    yield ids
    if ids:
        ec2.terminate_instances(InstanceIds=ids)


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def public_line() -> str:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    ).decode()


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_created_key_pair_is_a_real_key(ec2: Any, kind: str) -> None:  # noqa: ANN401
    name = f"made-{kind}"
    pair = ec2.create_key_pair(KeyName=name, KeyType=kind)
    private = serialization.load_ssh_private_key if kind == "ed25519" else None
    load = private or serialization.load_pem_private_key
    key = load(pair["KeyMaterial"].encode(), password=None)
    shown = ec2.describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"][0]
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    assert shown["PublicKey"].encode() == public
    assert shown["KeyType"] == kind
    ec2.delete_key_pair(KeyPairId=pair["KeyPairId"])
    with pytest.raises(ClientError) as missing:
        ec2.describe_key_pairs(KeyNames=[name])
    assert code_of(missing) == "InvalidKeyPair.NotFound"


def test_an_imported_key_keeps_its_tags_and_is_not_overwritten(ec2: Any) -> None:  # noqa: ANN401
    line = public_line()
    tags = [{"ResourceType": "key-pair", "Tags": [{"Key": "lab", "Value": "one"}]}]
    ec2.import_key_pair(KeyName="tagged", PublicKeyMaterial=line, TagSpecifications=tags)
    ec2.import_key_pair(KeyName="other", PublicKeyMaterial=public_line())
    found = ec2.describe_key_pairs(Filters=[{"Name": "tag:lab", "Values": ["one"]}])["KeyPairs"]
    assert [pair["KeyName"] for pair in found] == ["tagged"]
    assert found[0]["Tags"] == [{"Key": "lab", "Value": "one"}]
    with pytest.raises(ClientError) as again:
        ec2.import_key_pair(KeyName="tagged", PublicKeyMaterial=public_line())
    assert code_of(again) == "InvalidKeyPair.Duplicate"
    with pytest.raises(ClientError) as broken:
        ec2.import_key_pair(KeyName="broken", PublicKeyMaterial="ssh-ed25519 AAAA")
    assert code_of(broken) == "InvalidKey.Format"


def test_a_dry_run_does_nothing(cloud: Cloud, ec2: Any) -> None:  # noqa: ANN401
    before = len(ec2.describe_instances()["Reservations"])
    with pytest.raises(ClientError) as dry:
        ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, DryRun=True)
    assert code_of(dry) == "DryRunOperation"
    with pytest.raises(ClientError) as dry:
        ec2.create_security_group(GroupName="dry", Description="d", DryRun=True)
    assert code_of(dry) == "DryRunOperation"
    assert len(ec2.describe_instances()["Reservations"]) == before
    named = [{"Name": "group-name", "Values": ["dry"]}]
    assert ec2.describe_security_groups(Filters=named)["SecurityGroups"] == []


def test_a_client_token_gives_the_same_instances(
    cloud: Cloud,
    ec2: Any,  # noqa: ANN401 - boto3's own type
    made: list[str],
) -> None:
    token = uuid.uuid4().hex
    first = cloud.launch(2, ClientToken=token)
    made += first
    assert cloud.launch(2, ClientToken=token) == first
    with pytest.raises(ClientError) as other:
        cloud.launch(1, ClientToken=token)
    assert code_of(other) == "IdempotentParameterMismatch"
    by_token = [{"Name": "client-token", "Values": [token]}]
    found = ec2.describe_instances(Filters=by_token)["Reservations"]
    assert sorted(r["Instances"][0]["InstanceId"] for r in found) == sorted(first)


def test_max_count_is_launched(cloud: Cloud, made: list[str]) -> None:
    ids = cloud.launch(MinCount=1, MaxCount=3)
    made += ids
    assert len(ids) == 3


def test_instances_get_loopback_addresses_of_their_own(
    cloud: Cloud,
    ec2: Any,  # noqa: ANN401 - boto3's own type
    made: list[str],
) -> None:
    made += cloud.launch(3)
    found = ec2.describe_instances(InstanceIds=made)["Reservations"]
    instances = [instance for each in found for instance in each["Instances"]]
    network = ipaddress.ip_network(cloud.info.network)
    addresses = [ipaddress.ip_address(instance["PublicIpAddress"]) for instance in instances]
    assert all(address in network for address in addresses)
    assert all(address.is_loopback for address in addresses)
    assert len(set(addresses)) == 3 or network.num_addresses == 1
    for instance in instances:
        assert instance["PrivateIpAddress"] == instance["PublicIpAddress"]
        assert instance["PublicDnsName"] == instance["PublicIpAddress"]
    elastic = ec2.allocate_address()["PublicIp"]
    assert ipaddress.ip_address(elastic).is_loopback


def test_what_was_asked_for_can_be_read_back(
    cloud: Cloud,
    ec2: Any,  # noqa: ANN401 - boto3's own type
    made: list[str],
) -> None:
    made += cloud.launch(
        UserData="#!/bin/sh\ntrue <&>\n",
        InstanceInitiatedShutdownBehavior="terminate",
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
    )
    number = made[0]
    data = ec2.describe_instance_attribute(InstanceId=number, Attribute="userData")
    assert base64.b64decode(data["UserData"]["Value"]) == b"#!/bin/sh\ntrue <&>\n"
    behaviour = ec2.describe_instance_attribute(
        InstanceId=number, Attribute="instanceInitiatedShutdownBehavior"
    )
    assert behaviour["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    found = ec2.describe_instances(InstanceIds=[number])["Reservations"][0]["Instances"][0]
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert found["MetadataOptions"]["HttpPutResponseHopLimit"] == 2


def test_an_instance_can_be_changed(
    cloud: Cloud,
    ec2: Any,  # noqa: ANN401 - boto3's own type
    made: list[str],
) -> None:
    made += cloud.launch()
    group = ec2.create_security_group(GroupName="later", Description="d")["GroupId"]
    ec2.modify_instance_attribute(InstanceId=made[0], Groups=[group])
    ec2.modify_instance_metadata_options(InstanceId=made[0], HttpTokens="required")
    found = ec2.describe_instances(InstanceIds=made)["Reservations"][0]["Instances"][0]
    assert [each["GroupId"] for each in found["SecurityGroups"]] == [group]
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert found["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    with pytest.raises(ClientError) as refused:
        ec2.modify_instance_attribute(InstanceId=made[0], EbsOptimized={"Value": True})
    assert code_of(refused) == "UnsupportedOperation"


def test_the_root_volume_is_tagged_sized_and_ends_with_the_instance(
    cloud: Cloud,
    ec2: Any,  # noqa: ANN401 - boto3's own type
) -> None:
    (number,) = cloud.launch(
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "v", "Value": "root"}]}],
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 12, "DeleteOnTermination": True}}
        ],
    )
    tagged = [{"Name": "tag:v", "Values": ["root"]}]
    (volume,) = ec2.describe_volumes(Filters=tagged)["Volumes"]
    assert volume["Size"] == 12
    assert volume["Attachments"][0]["InstanceId"] == number
    ec2.terminate_instances(InstanceIds=[number])
    cloud.becomes(number, "terminated")
    assert ec2.describe_volumes(Filters=tagged)["Volumes"] == []


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"SecurityGroups": ["nobody"]}, "InvalidGroup.NotFound"),
        ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound"),
        ({"LaunchTemplate": {"LaunchTemplateName": "x"}}, "UnsupportedOperation"),
        ({"PrivateIpAddress": "10.0.0.9"}, "UnsupportedOperation"),
        ({"MinCount": 5000, "MaxCount": 5000}, "InstanceLimitExceeded"),
        ({"MinCount": 2, "MaxCount": 1}, "InvalidParameterCombination"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_refused(cloud: Cloud, options: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        cloud.launch(**options)
    assert code_of(refused) == code


def test_an_unknown_filter_is_refused_rather_than_ignored(ec2: Any) -> None:  # noqa: ANN401
    with pytest.raises(ClientError) as refused:
        ec2.describe_instances(Filters=[{"Name": "no-such-thing", "Values": ["x"]}])
    assert code_of(refused) == "InvalidParameterValue"


def test_a_group_in_use_cannot_be_deleted(cloud: Cloud, ec2: Any) -> None:  # noqa: ANN401
    group = ec2.create_security_group(GroupName="used", Description="d")["GroupId"]
    (number,) = cloud.launch(SecurityGroupIds=[group])
    with pytest.raises(ClientError) as refused:
        ec2.delete_security_group(GroupId=group)
    assert code_of(refused) == "DependencyViolation"
    ec2.terminate_instances(InstanceIds=[number])
    cloud.becomes(number, "terminated")
    ec2.delete_security_group(GroupName="used")
    with pytest.raises(ClientError):
        ec2.describe_security_groups(GroupIds=[group])


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: str(image.alias))
def test_images_are_found_by_their_public_parameter(cloud: Cloud, ec2: Any, image: Any) -> None:  # noqa: ANN401
    parameter = cloud.client("ssm").get_parameter(Name=image.parameter)["Parameter"]
    assert parameter["Value"] == image.id
    (found,) = ec2.describe_images(ImageIds=[image.id])["Images"]
    assert found["OwnerId"] == image.owner


def test_states_are_told_only_when_they_are_true(cloud: Cloud, ec2: Any) -> None:  # noqa: ANN401
    (number,) = cloud.launch()
    cloud.becomes(number, "running")
    cloud.place(number)  # running means that SSH listens
    change = ec2.stop_instances(InstanceIds=[number])["StoppingInstances"][0]
    assert change["PreviousState"]["Name"] == "running"
    assert change["CurrentState"]["Name"] == "stopping"
    cloud.becomes(number, "stopped")
    wait_for(lambda: not (cloud.layout.places / f"{number}.json").exists())
    ec2.terminate_instances(InstanceIds=[number])
    cloud.becomes(number, "terminated")
    assert not cloud.root(number).exists()
    again = ec2.terminate_instances(InstanceIds=[number])["TerminatingInstances"][0]
    assert again["CurrentState"]["Name"] == "terminated"
