"""Changes that a living instance can take: its security groups, its profile, its metadata."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.kinds.base import Context
from labctl.kinds.instance_members import Instance


def set_groups(context: Context, instance: Instance, group_ids: Sequence[str]) -> None:
    """Put an instance into exactly these security groups."""
    context.target.client("ec2").modify_instance_attribute(
        InstanceId=instance["InstanceId"], Groups=list(group_ids)
    )


def attach_profile(context: Context, instance: Instance, profile: str) -> None:
    """Give an instance this instance profile in place of the one it has; "" takes it away."""
    ec2 = context.target.client("ec2")
    associations = ec2.describe_iam_instance_profile_associations(
        Filters=[
            {"Name": "instance-id", "Values": [instance["InstanceId"]]},
            {"Name": "state", "Values": ["associating", "associated"]},
        ]
    )["IamInstanceProfileAssociations"]
    own = [each for each in associations if each["InstanceId"] == instance["InstanceId"]]
    if not own:
        ec2.associate_iam_instance_profile(
            InstanceId=instance["InstanceId"], IamInstanceProfile={"Name": profile}
        )
    elif profile:
        ec2.replace_iam_instance_profile_association(
            AssociationId=own[0]["AssociationId"], IamInstanceProfile={"Name": profile}
        )
    else:
        ec2.disassociate_iam_instance_profile(AssociationId=own[0]["AssociationId"])


def must_be_metadata_v2(context: Context, instance: Instance) -> None:
    """Let an instance's metadata be read with a session token only."""
    context.target.client("ec2").modify_instance_metadata_options(
        InstanceId=instance["InstanceId"], HttpTokens="required", HttpEndpoint="enabled"
    )
