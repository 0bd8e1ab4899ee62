"""The least permissions that labctl needs, as an IAM policy made from what the kinds declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from labctl.kinds.base import TAG_SESSION, Kind
from labctl.kinds.iam_instance_profile import IAM_PATH

# Looking for what bears our tags means looking at everything that might: by these calls only.
_LOOKS = (
    "dynamodb:DescribeTable",
    "dynamodb:ListTables",
    "dynamodb:ListTagsOfResource",
    "iam:GetInstanceProfile",  # an existing one bears any name and path
    "iam:ListInstanceProfiles",
    "iam:ListRoles",
    "s3:GetBucketTagging",
    "s3:ListAllMyBuckets",
    "sqs:ListQueueTags",
    "sqs:ListQueues",
)
_EC2_CREATES = ("CreateSecurityGroup", "ImportKeyPair", "RunInstances")
_OURS_BY_NAME: Mapping[str, tuple[str, ...]] = {
    "dynamodb": (
        "arn:aws:dynamodb:*:*:table/labctl-*",
        "arn:aws:dynamodb:*:*:table/labctl-*/index/*",
    ),
    "iam": (f"arn:aws:iam::*:role{IAM_PATH}*", f"arn:aws:iam::*:instance-profile{IAM_PATH}*"),
    "s3": ("arn:aws:s3:::labctl-*", "arn:aws:s3:::labctl-*/*"),
    "sqs": ("arn:aws:sqs:*:*:labctl-*",),
    "ssm": ("arn:aws:ssm:*::parameter/aws/service/*",),
}
_OUR_ROLES = f"arn:aws:iam::*:role{IAM_PATH}*"


def least_policy(kinds: Iterable[Kind[Any]], *, also: Iterable[str] = ()) -> dict[str, Any]:
    """Return the IAM policy that these kinds' calls need, and the further actions in `also`.

    What the services can narrow down is narrowed: to names and paths that begin with `labctl`,
    on EC2 to things that bear labctl's session tag. Plain names need wider names than these.
    """
    actions = {action for kind in kinds for action in kind.actions} | set(also)
    groups: dict[str, set[str]] = {}
    for action in actions:
        groups.setdefault(_group_of(action), set()).add(action)
    if "ec2:CreateTags" in actions:  # the tag with the deadline moves with it
        groups.setdefault("OwnEc2", set()).add("ec2:CreateTags")
    statements = [_statement(group, sorted(groups[group])) for group in sorted(groups)]
    return {"Version": "2012-10-17", "Statement": statements}


def _group_of(action: str) -> str:
    """Return which statement an action belongs in."""
    service, _, call = action.partition(":")
    if action == "iam:PassRole":
        return "PassRoles"
    if action in _LOOKS or action.startswith("ec2:Describe"):
        return "Look"
    if service != "ec2":
        return f"Own{service.capitalize()}"
    if call == "CreateTags":
        return "TagWhatIsCreated"
    return "CreateEc2" if call in _EC2_CREATES else "OwnEc2"


def _statement(group: str, actions: list[str]) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": group, "Effect": "Allow", "Action": actions}
    match group:
        case "PassRoles":
            # An existing profile, such as LabInstanceProfile, needs its own role added here.
            only_to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
            return {**statement, "Resource": [_OUR_ROLES], "Condition": only_to_ec2}
        case "TagWhatIsCreated":
            created = {"StringEquals": {"ec2:CreateAction": sorted(_EC2_CREATES)}}
            return {**statement, "Resource": ["*"], "Condition": created}
        case "OwnEc2":
            tagged = {"Null": {f"aws:ResourceTag/{TAG_SESSION}": "false"}}
            return {**statement, "Resource": ["*"], "Condition": tagged}
        case "Look" | "CreateEc2":
            return {**statement, "Resource": ["*"]}
    return {**statement, "Resource": list(_OURS_BY_NAME[group.removeprefix("Own").lower()])}
