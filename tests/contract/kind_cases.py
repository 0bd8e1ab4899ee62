"""What the contract suite needs to know of each kind: examples, harms, look-alikes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl.kinds.base import Actual
from labctl.kinds.registry import kind
from labctl.spec.fields import ResourceModel

Client = Callable[[str], Any]
Harm = Callable[[Client, Actual], None]
LookAlike = Callable[[Client, str, Mapping[str, str]], Callable[[], object]]
"""Makes a thing of this name with these tags; returns what shows how it stands."""


def model(kind_name: str, **fields: Any) -> ResourceModel:  # noqa: ANN401 - as in a lab file
    """Return a resource as if a lab file said so."""
    return kind(kind_name).model.model_validate({"kind": kind_name, **fields})


@dataclass(frozen=True)
class Case:
    """A kind with an example, and what may happen to it."""

    want: ResourceModel
    beside: Mapping[str, ResourceModel] = field(default_factory=dict)  # made first, in order
    updates: Mapping[str, ResourceModel] = field(default_factory=dict)
    replacements: Mapping[str, ResourceModel] = field(default_factory=dict)
    harms: Mapping[str, Harm] = field(default_factory=dict)  # done by hand, to be mended
    look_alike: LookAlike | None = None

    @property
    def kind(self) -> str:
        return self.want.kind


def _queue_attribute(**attributes: str) -> Harm:
    def harm(client: Client, actual: Actual) -> None:
        client("sqs").set_queue_attributes(QueueUrl=actual.id, Attributes=attributes)

    return harm


def _another_queue(client: Client, name: str, tags: Mapping[str, str]) -> Callable[[], object]:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "7"}, tags=dict(tags))[
        "QueueUrl"
    ]
    return lambda: (
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"],
        sqs.list_queue_tags(QueueUrl=url).get("Tags", {}),
    )


def _another_bucket(client: Client, name: str, tags: Mapping[str, str]) -> Callable[[], object]:
    s3 = client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_tagging(
        Bucket=name,
        Tagging={"TagSet": [{"Key": key, "Value": tags[key]} for key in tags] or _SOME_TAG},
    )
    s3.put_object(Bucket=name, Key="precious", Body=b"theirs")
    return lambda: (
        s3.get_bucket_tagging(Bucket=name)["TagSet"],
        s3.get_object(Bucket=name, Key="precious")["Body"].read(),
    )


_SOME_TAG = [{"Key": "team", "Value": "theirs"}]


def _unblock(client: Client, actual: Actual) -> None:
    client("s3").delete_public_access_block(Bucket=actual.id)


def _half_unblock(client: Client, actual: Actual) -> None:
    client("s3").put_public_access_block(
        Bucket=actual.id,
        PublicAccessBlockConfiguration={"BlockPublicAcls": True, "BlockPublicPolicy": False},
    )


def _version(client: Client, actual: Actual) -> None:
    client("s3").put_bucket_versioning(
        Bucket=actual.id, VersioningConfiguration={"Status": "Enabled"}
    )


def _another_table(client: Client, name: str, tags: Mapping[str, str]) -> Callable[[], object]:
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    return lambda: (
        dynamodb.describe_table(TableName=name)["Table"]["TableStatus"],
        dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"],
    )


def _drop_index(client: Client, actual: Actual) -> None:
    client("dynamodb").update_table(
        TableName=actual.id, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-state"}}]
    )


def _provision(client: Client, actual: Actual) -> None:
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    client("dynamodb").update_table(
        TableName=actual.id,
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units,
        GlobalSecondaryIndexUpdates=[
            {"Update": {"IndexName": "by-state", "ProvisionedThroughput": units}}
        ],
    )


def _ec2_tags(thing: str, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    return [{"ResourceType": thing, "Tags": pairs or _SOME_TAG}]


def _another_key(client: Client, name: str, tags: Mapping[str, str]) -> Callable[[], object]:
    ec2 = client("ec2")
    ec2.create_key_pair(KeyName=name, TagSpecifications=_ec2_tags("key-pair", tags))
    return lambda: ec2.describe_key_pairs(KeyNames=[name])["KeyPairs"]


def _another_group(client: Client, name: str, tags: Mapping[str, str]) -> Callable[[], object]:
    ec2 = client("ec2")
    made = ec2.create_security_group(
        GroupName=name, Description="theirs", TagSpecifications=_ec2_tags("security-group", tags)
    )
    return lambda: ec2.describe_security_groups(GroupIds=[made["GroupId"]])["SecurityGroups"]


def _open_to_all(client: Client, actual: Actual) -> None:
    client("ec2").authorize_security_group_ingress(
        GroupId=actual.id,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 22,
                "ToPort": 22,
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
            }
        ],
    )


def _close(client: Client, actual: Actual) -> None:
    client("ec2").revoke_security_group_ingress(
        GroupId=actual.id, IpPermissions=actual.attributes["permissions"][:1]
    )


def _end_first(client: Client, actual: Actual) -> None:
    client("ec2").terminate_instances(InstanceIds=[actual.members[0]["InstanceId"]])


def _stop_last(client: Client, actual: Actual) -> None:
    client("ec2").stop_instances(InstanceIds=[actual.members[-1]["InstanceId"]])


def _open_metadata(client: Client, actual: Actual) -> None:
    client("ec2").modify_instance_metadata_options(
        InstanceId=actual.members[0]["InstanceId"], HttpTokens="optional"
    )


def _another_profile(client: Client, name: str, tags: Mapping[str, str]) -> Callable[[], object]:
    iam = client("iam")
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    iam.create_instance_profile(InstanceProfileName=name, Tags=pairs)
    return lambda: iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]


def _allow_more(client: Client, actual: Actual) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    client("iam").put_role_policy(
        RoleName=actual.id,
        PolicyName="labctl",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def _empty_profile(client: Client, actual: Actual) -> None:
    client("iam").remove_role_from_instance_profile(
        InstanceProfileName=actual.id, RoleName=actual.id
    )


_DEAD = {"dead": model("sqs.queue"), "other": model("sqs.queue")}
_TO_DEAD = {"to": "dead", "after": 5}
_QUEUE = model("sqs.queue", visibility_timeout="40s", dead_letter=_TO_DEAD)
_TABLE = {"key": {"id": "string"}, "indexes": {"by-state": {"key": {"state": "string"}}}}
_SSH = {"port": 22, "from": "me"}
_ALLOW = {"allow": ["sqs:ReceiveMessage", "s3:GetObject"], "resources": ["inbox", "archive"]}
_MACHINES = {
    "ssh-key": model("ec2.key_pair"),
    "thing-access": model("ec2.security_group", ingress=[_SSH]),
    "further": model("ec2.security_group", ingress=[{"port": 80, "from": "10.0.0.0/8"}]),
    "inbox": model("sqs.queue"),
    "rights": model("iam.instance_profile", allow=["sqs:ReceiveMessage"], resources=["inbox"]),
    "fewer": model("iam.instance_profile", allow=["sqs:SendMessage"], resources=["inbox"]),
}


def _role(**fields: Any) -> ResourceModel:  # noqa: ANN401 - as in a lab file
    return model("ec2.instance", **{"image": "al2023", **fields})


CASES: Mapping[str, Case] = {
    "queue": Case(
        want=_QUEUE,
        beside=_DEAD,
        updates={
            "visibility_timeout": model("sqs.queue", visibility_timeout="2m", dead_letter=_TO_DEAD),
            "retention": model("sqs.queue", retention="1h", dead_letter=_TO_DEAD),
            "delay": model("sqs.queue", delay="1s", dead_letter=_TO_DEAD),
            "receive_wait": model("sqs.queue", receive_wait="0s", dead_letter=_TO_DEAD),
            "max_message_size": model("sqs.queue", max_message_size="64KiB", dead_letter=_TO_DEAD),
            "encryption": model("sqs.queue", encryption="none", dead_letter=_TO_DEAD),
            "dead_letter after": model("sqs.queue", dead_letter={"to": "dead", "after": 9}),
            "dead_letter to": model("sqs.queue", dead_letter={"to": "other", "after": 5}),
            "dead_letter none": model("sqs.queue"),
        },
        harms={
            "visibility timeout": _queue_attribute(VisibilityTimeout="1"),
            "retention": _queue_attribute(MessageRetentionPeriod="60"),
            "no dead letters": _queue_attribute(RedrivePolicy=""),
        },
        look_alike=_another_queue,
    ),
    "fifo queue": Case(
        want=model("sqs.queue", fifo=True),
        updates={
            "content_based_deduplication": model(
                "sqs.queue", fifo=True, content_based_deduplication=True
            )
        },
    ),
    "bucket": Case(
        want=model("s3.bucket"),
        updates={
            "versioning": model("s3.bucket", versioning=True),
            "public": model("s3.bucket", public=True),
        },
        harms={"unblocked": _unblock, "half unblocked": _half_unblock, "versioned": _version},
        look_alike=_another_bucket,
    ),
    "table": Case(
        want=model("dynamodb.table", **_TABLE),
        updates={
            "index added": model(
                "dynamodb.table",
                key={"id": "string"},
                indexes={
                    "by-state": {"key": {"state": "string"}},
                    "by-day": {"key": {"day": "string"}, "sort": {"at": "number"}},
                },
            ),
            "index removed": model("dynamodb.table", key={"id": "string"}),
            "index changed": model(
                "dynamodb.table",
                key={"id": "string"},
                indexes={"by-state": {"key": {"state": "string"}, "sort": {"at": "number"}}},
            ),
        },
        replacements={
            "key": model("dynamodb.table", **{**_TABLE, "key": {"other": "string"}}),
            "type": model("dynamodb.table", **{**_TABLE, "key": {"id": "number"}}),
            "sort": model("dynamodb.table", **_TABLE, sort={"at": "number"}),
        },
        harms={"no index": _drop_index, "provisioned": _provision},
        look_alike=_another_table,
    ),
    "key pair": Case(want=model("ec2.key_pair"), look_alike=_another_key),
    "security group": Case(
        want=model(
            "ec2.security_group",
            ingress=[_SSH, {"port": "8000-8010", "from": "friends"}],
        ),
        beside={"friends": model("ec2.security_group")},
        updates={
            "rule added": model(
                "ec2.security_group",
                ingress=[
                    _SSH,
                    {"port": "8000-8010", "from": "friends"},
                    {"port": 443, "from": "0.0.0.0/0", "world": True},
                    {"port": 443, "from": "::/0", "world": True},
                ],
            ),
            "rule removed": model("ec2.security_group", ingress=[_SSH]),
            "rule changed": model(
                "ec2.security_group", ingress=[{"port": 22, "from": "10.1.0.0/16"}]
            ),
            "protocol": model("ec2.security_group", ingress=[{**_SSH, "protocol": "udp"}]),
            "closed": model("ec2.security_group"),
        },
        replacements={
            "description": model("ec2.security_group", description="another", ingress=[_SSH])
        },
        harms={"open to all": _open_to_all, "rule deleted": _close},
        look_alike=_another_group,
    ),
    "role": Case(
        want=_role(count=2),
        beside=_MACHINES,
        updates={
            "more": _role(count=4),
            "fewer": _role(count=1),
            "groups": _role(count=2, groups=["further"]),
            "profile": _role(count=2, profile="rights"),
        },
        replacements={
            "type": _role(count=2, type="t3.small"),
            "image": _role(count=2, image="ubuntu-24.04"),
            "disk": _role(count=2, disk="20GiB"),
        },
        harms={
            "one terminated": _end_first,
            "one stopped": _stop_last,
            "metadata open": _open_metadata,
        },
    ),
    "role with a profile": Case(
        want=_role(profile="rights"),
        beside=_MACHINES,
        updates={
            "other profile": _role(profile="fewer"),
            "no profile": _role(),
        },
    ),
    "instance profile": Case(
        want=model("iam.instance_profile", **_ALLOW),
        beside={"inbox": model("sqs.queue"), "archive": model("s3.bucket")},
        updates={
            "allow": model("iam.instance_profile", allow=["sqs:*"], resources=["inbox", "archive"]),
            "resources": model("iam.instance_profile", allow=_ALLOW["allow"], resources=["inbox"]),
        },
        harms={"allows more": _allow_more, "role taken out": _empty_profile},
        look_alike=_another_profile,
    ),
}
