"""Kind `ec2.security_group`: who may reach which ports of the machines in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from labctl.errors import OwnershipError
from labctl.kinds.base import TAG_SESSION, Actual, Change, Context, Kind
from labctl.kinds.ingress import IngressRule, permissions, standing_rules, wanted_rules
from labctl.kinds.ownership import all_tags, ec2_tags, must_be_ours, retag_ec2, tag_filters, tag_map
from labctl.kinds.waiting import wait_for
from labctl.spec.fields import ResourceModel
from labctl.targets.base import Target
from labctl.targets.failures import classify, code_of, or_none

# EC2 takes these letters only, and no line break.
_Description = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9. _:/()#,@\[\]+=&;{}!$*-]{1,255}$")
]


class SecurityGroupModel(ResourceModel):
    """A security group, as a lab file describes it."""

    kind: Literal["ec2.security_group"] = "ec2.security_group"
    description: Annotated[
        _Description, Field(description="Shown in the console; a change makes a new group.")
    ] = "made by labctl"
    ingress: Annotated[
        list[IngressRule], Field(max_length=60, description="Who may connect to which ports.")
    ] = []


class Ec2SecurityGroup(Kind[SecurityGroupModel]):
    """Security groups of the default network. Found by name; tags are set at creation."""

    name = "ec2.security_group"
    model = SecurityGroupModel
    outputs = ("id", "name")
    actions = (
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateSecurityGroup",
        "ec2:CreateTags",
        "ec2:DeleteSecurityGroup",
        "ec2:DescribeInstances",
        "ec2:DescribeSecurityGroups",
        "ec2:ModifyInstanceAttribute",
        "ec2:RevokeSecurityGroupIngress",
    )
    teardown_rank = 50

    def physical_name(self, name: str, want: SecurityGroupModel) -> str:
        """Return the name, which may not look like a group's id."""
        return f"group-{name}" if name.startswith("sg-") else name

    def find(self, context: Context, want: SecurityGroupModel) -> Actual | None:
        """Return the group of this name, if it is ours."""
        ec2 = context.target.client("ec2")
        groups = _groups(ec2, {"group-name": context.name})
        for group in groups:  # other networks may have groups of the same name
            if tag_map(group.get("Tags")).get(TAG_SESSION) == context.session:
                return _actual(group)
        if groups:
            must_be_ours(context, f"security group {context.name}", _actual(groups[0]).tags)
        return None

    def create(self, context: Context, want: SecurityGroupModel) -> Actual:
        """Create the group with its rules, or finish one that an earlier try left."""
        ec2 = context.target.client("ec2")
        standing = self.find(context, want)
        if standing is None:
            made = ec2.create_security_group(
                GroupName=context.name,
                Description=want.description,
                TagSpecifications=ec2_tags(all_tags(context), "security-group"),
            )
            standing = wait_for(
                lambda: _by_id(ec2, made["GroupId"]),
                f"security group {context.name} is visible",
                cancelled=context.cancelled,
            )
        changes = self.changes(context, want, standing)
        return self.update(context, want, standing, changes) if changes else standing

    def changes(self, context: Context, want: SecurityGroupModel, actual: Actual) -> list[Change]:
        """Return the rules that are missing and those that somebody added."""
        wanted = wanted_rules(context, want.ingress, own=actual.id)
        have = standing_rules(actual.attributes["permissions"])
        found = [Change("ingress", "none", str(rule)) for rule in sorted(wanted - have)]
        found += [Change("ingress", str(rule), "none") for rule in sorted(have - wanted)]
        if actual.attributes["description"] != want.description:
            found.append(
                Change("description", actual.attributes["description"], want.description, "replace")
            )
        return found

    def update(
        self,
        context: Context,
        want: SecurityGroupModel,
        actual: Actual,
        changes: Sequence[Change],
    ) -> Actual:
        """Add what is missing, then take away what is too much."""
        ec2 = context.target.client("ec2")
        wanted = wanted_rules(context, want.ingress, own=actual.id)
        have = standing_rules(actual.attributes["permissions"])
        if missing := permissions(wanted - have):
            ec2.authorize_security_group_ingress(GroupId=actual.id, IpPermissions=missing)
        if surplus := permissions(have - wanted):
            ec2.revoke_security_group_ingress(GroupId=actual.id, IpPermissions=surplus)
        return _by_id(ec2, actual.id) or actual

    def delete(self, context: Context, actual: Actual) -> None:
        """Delete the group once nothing uses it; rules of our other groups let go of it first."""
        ec2 = context.target.client("ec2")
        standing = _by_id(ec2, actual.id)
        if standing is None:
            return
        must_be_ours(context, f"security group {actual.name}", standing.tags)
        _let_go(context, ec2, actual.id)
        wait_for(
            lambda: _deleted(context, ec2, actual.id),
            f"security group {actual.name} is used no more",
            cancelled=context.cancelled,
            deadline_s=600,
        )

    def list_tagged(self, target: Target, tags: Mapping[str, str]) -> list[Actual]:
        """Return the groups with these tags."""
        pages = (
            target.client("ec2")
            .get_paginator("describe_security_groups")
            .paginate(Filters=tag_filters(tags))
        )
        return [_actual(group) for page in pages for group in page["SecurityGroups"]]

    def retag(self, context: Context, actual: Actual) -> None:
        """Set the tags; EC2 keeps those that are not named."""
        retag_ec2(context, [actual.id])


def _groups(ec2: Any, filters: Mapping[str, str]) -> list[dict[str, Any]]:  # noqa: ANN401 - boto3
    answer = ec2.describe_security_groups(
        Filters=[{"Name": name, "Values": [value]} for name, value in filters.items()]
    )
    groups: list[dict[str, Any]] = answer["SecurityGroups"]
    return groups


def _by_id(ec2: Any, group_id: str) -> Actual | None:  # noqa: ANN401 - boto3's client
    answer = or_none(lambda: ec2.describe_security_groups(GroupIds=[group_id]))
    groups = answer["SecurityGroups"] if answer else []
    return _actual(groups[0]) if groups else None


def _actual(group: Mapping[str, Any]) -> Actual:
    return Actual(
        Ec2SecurityGroup.name,
        group["GroupName"],
        group["GroupId"],
        {
            "id": group["GroupId"],
            "name": group["GroupName"],
            "description": group.get("Description", ""),
            "permissions": group.get("IpPermissions", []),
        },
        tag_map(group.get("Tags")),
    )


def _let_go(context: Context, ec2: Any, group_id: str) -> None:  # noqa: ANN401 - boto3's client
    """Take rules that name the group out of the session's other groups, and out of itself."""
    for group in _groups(ec2, {"ip-permission.group-id": group_id}):
        rules = standing_rules(group.get("IpPermissions", []))
        naming = permissions(rule for rule in rules if rule.source == group_id)
        if not naming:  # not every endpoint honours the filter
            continue
        if tag_map(group.get("Tags")).get(TAG_SESSION) != context.session:
            raise OwnershipError(
                f"security group {group['GroupId']} names {group_id} in a rule, and is not ours",
                "take that rule away; labctl changes nothing that it did not create",
            )
        ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=naming)


def _deleted(context: Context, ec2: Any, group_id: str) -> Literal[True] | None:  # noqa: ANN401 - as above
    """Try to delete the group; None while something still uses it."""
    try:
        or_none(lambda: ec2.delete_security_group(GroupId=group_id))
    except ec2.exceptions.ClientError as error:
        if classify(error).kind == "dependency":
            context.progress(f"still in use ({code_of(error)})")
            _take_out_instances(context, ec2, group_id)
            return None
        raise
    return True


def _take_out_instances(context: Context, ec2: Any, group_id: str) -> None:  # noqa: ANN401 - as above
    """Take the session's living instances out of a group, when they have another one to be in.

    A group that is replaced while its machines stand could never go otherwise.
    """
    filters = {
        "instance.group-id": group_id,
        "instance-state-name": "running",
        f"tag:{TAG_SESSION}": context.session,
    }
    answer = ec2.describe_instances(
        Filters=[{"Name": name, "Values": [value]} for name, value in filters.items()]
    )
    for reservation in answer["Reservations"]:
        for instance in reservation["Instances"]:
            groups = [group["GroupId"] for group in instance.get("SecurityGroups", ())]
            others = [each for each in groups if each != group_id]
            if others and group_id in groups:
                ec2.modify_instance_attribute(InstanceId=instance["InstanceId"], Groups=others)
