"""The least policy: everything declared is in it, and nothing is wider than it has to be."""

from __future__ import annotations

from labctl.kinds.policy import least_policy
from labctl.kinds.registry import kind, kinds


def test_every_declared_action_is_allowed_once() -> None:
    policy = least_policy(kinds().values(), also=["s3:GetObject"])
    allowed = [action for each in policy["Statement"] for action in each["Action"]]
    declared = {action for each in kinds().values() for action in each.actions}
    twice = ["ec2:CreateTags"]  # on what a call creates, and on what is ours already
    assert sorted(allowed) == sorted([*(declared | {"s3:GetObject"}), *twice])


def test_only_looking_and_creating_on_ec2_are_wide_open() -> None:
    for statement in least_policy(kinds().values())["Statement"]:
        if statement["Resource"] != ["*"] or "Condition" in statement:
            continue
        for action in statement["Action"]:
            call = action.partition(":")[2]
            assert call.startswith(("Describe", "Get", "List")) or action in (
                "ec2:CreateSecurityGroup",
                "ec2:ImportKeyPair",
                "ec2:RunInstances",
            )


def test_what_changes_things_on_ec2_is_bound_to_our_tag() -> None:
    statements = {each["Sid"]: each for each in least_policy(kinds().values())["Statement"]}
    assert "ec2:TerminateInstances" in statements["OwnEc2"]["Action"]
    assert statements["OwnEc2"]["Condition"] == {
        "Null": {"aws:ResourceTag/labctl:session": "false"}
    }
    assert statements["OwnSqs"]["Resource"] == ["arn:aws:sqs:*:*:labctl-*"]
    assert "arn:aws:s3:::labctl-*/*" in statements["OwnS3"]["Resource"]


def test_no_kind_asks_for_what_only_another_needs() -> None:
    policy = least_policy([kind("sqs.queue")])
    actions = [action for each in policy["Statement"] for action in each["Action"]]
    assert all(action.startswith("sqs:") for action in actions)
