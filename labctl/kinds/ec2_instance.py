"""Kind `ec2.instance`: a role, which is a counted set of equal machines in a stable order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from labctl.kinds.base import TAG_RESOURCE, TAG_SESSION, Actual, Change, Context, Kind
from labctl.kinds.ec2_key_pair import KeyPairModel
from labctl.kinds.ec2_security_group import SecurityGroupModel
from labctl.kinds.ingress import IngressRule
from labctl.kinds.instance_changes import attach_profile, must_be_metadata_v2, set_groups
from labctl.kinds.instance_ends import delete_volumes, end_instances, tagged_volumes
from labctl.kinds.instance_launch import (
    TAG_DISK,
    TAG_IMAGE,
    TAG_KEY,
    group_ids,
    host_key,
    host_key_file,
    launch_missing,
    profile_name,
    settled_members,
)
from labctl.kinds.instance_members import LIVE, Instance, Members, arrange, describe, role_members
from labctl.kinds.instance_running import start_stopped, wait_running
from labctl.kinds.ownership import retag_ec2, tag_map
from labctl.kinds.prices import instance_hour_usd
from labctl.spec.fields import ResourceModel, ResourceName, Size
from labctl.targets.base import Target
from labctl.targets.images import ALIASES

_GIB = 2**30
_IMAGE_ID = re.compile(r"ami-[0-9a-f]{8,17}")


def _known_image(value: str) -> str:
    if value not in ALIASES and not _IMAGE_ID.fullmatch(value):
        raise ValueError(f"no image '{value}'; one of {', '.join(ALIASES)}, or an id (ami-...)")
    return value


def _whole_gib(value: int) -> int:
    if value % _GIB or not 1 <= value // _GIB <= 100:
        raise ValueError("a disk has 1GiB to 100GiB, in whole GiB")
    return value


def _my_ssh() -> list[IngressRule]:
    return [IngressRule.model_validate({"port": 22, "from": "me"})]


class InstanceModel(ResourceModel):
    """A role, as a lab file describes it."""

    kind: Literal["ec2.instance"] = "ec2.instance"
    count: Annotated[
        int, Field(ge=0, le=100, description="How many machines; with 0 the role is left out.")
    ] = 1
    type: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9-]{1,15}\.[a-z0-9-]{2,15}$", description="t3.micro")
    ] = "t3.micro"
    image: Annotated[
        str, AfterValidator(_known_image), Field(description="An alias such as ubuntu-24.04.")
    ] = "ubuntu-24.04"
    ingress: Annotated[
        list[IngressRule],
        Field(max_length=60, description="Who may connect; makes the group `<role>-access`."),
    ] = Field(default_factory=_my_ssh)
    groups: Annotated[
        list[Annotated[str, ResourceName(("ec2.security_group",))]],
        Field(max_length=4, description="Further security groups of this lab."),
    ] = []
    key: Annotated[
        str, ResourceName(("ec2.key_pair",)), Field(description="The key pair to log in with.")
    ] = "ssh-key"
    disk: Annotated[
        Size, AfterValidator(_whole_gib), Field(description="Size of the root volume.")
    ] = 8 * _GIB
    profile: Annotated[
        str | None,
        ResourceName(("iam.instance_profile",), besides=".*"),
        Field(
            pattern=r"^[A-Za-z0-9+=,.@_-]{0,128}$",
            description="An instance profile of this lab, or the name of one that exists.",
        ),
    ] = None

    @property
    def disk_gib(self) -> int:
        """The size of the root volume, in GiB."""
        return self.disk // _GIB

    def group_names(self, role: str) -> list[str]:
        """Return the lab-file names of the security groups that the machines belong in."""
        return [*([f"{role}-access"] if self.ingress else []), *self.groups]

    def implied(self, name: str) -> dict[str, ResourceModel]:
        """Return the key pair that all roles share and the group of the role's ingress."""
        found: dict[str, ResourceModel] = {}
        if self.key == "ssh-key":
            found["ssh-key"] = KeyPairModel()
        if self.ingress:
            found[f"{name}-access"] = SecurityGroupModel(
                description=f"made by labctl for {name}", ingress=self.ingress
            )
        return found


class Ec2Instance(Kind[InstanceModel]):
    """Roles of instances. Found by tags; names mean nothing to EC2, so look-alikes do no harm."""

    name = "ec2.instance"
    model = InstanceModel
    outputs = ("id", "ids", "address", "addresses", "public_address", "public_addresses")
    actions = (
        "ec2:AssociateIamInstanceProfile",
        "ec2:CreateTags",
        "ec2:DeleteVolume",
        "ec2:DescribeIamInstanceProfileAssociations",
        "ec2:DescribeImages",
        "ec2:DescribeInstances",
        "ec2:DescribeVolumes",
        "ec2:DisassociateIamInstanceProfile",
        "ec2:ModifyInstanceAttribute",
        "ec2:ModifyInstanceMetadataOptions",
        "ec2:ReplaceIamInstanceProfileAssociation",
        "ec2:RunInstances",
        "ec2:StartInstances",
        "ec2:TerminateInstances",
        "iam:PassRole",
        "ssm:GetParameter",
    )
    teardown_rank = 10

    def find(self, context: Context, want: InstanceModel) -> Actual | None:
        """Return the role with its living members; None when none lives."""
        members = role_members(context.target, session=context.session, resource=context.resource)
        return self._actual(context, want, members) if members.live or members.extra else None

    def create(self, context: Context, want: InstanceModel) -> Actual:
        """Launch the members that are missing and wait until all of them run."""
        return self._bring_about(context, want)

    def changes(self, context: Context, want: InstanceModel, actual: Actual) -> list[Change]:
        """Return differences in number and state (mended) and in what they are made of."""
        members = arrange(actual.members + tuple(actual.attributes["extra"]))
        found = _count_changes(want, members)
        for instance in members.live[: want.count]:
            found += _state_changes(context, want, instance)
        if host_key(context) is None:
            found.append(Change("host key", "lost", "known", "replace"))
        return list(dict.fromkeys(found))

    def update(
        self,
        context: Context,
        want: InstanceModel,
        actual: Actual,
        changes: Sequence[Change],
    ) -> Actual:
        """Add or end members, start stopped ones, and set groups, profile and metadata."""
        return self._bring_about(context, want)

    def _bring_about(self, context: Context, want: InstanceModel) -> Actual:
        members = settled_members(context)
        if surplus := members.surplus(want.count):
            end_instances(context, surplus)
        launched = launch_missing(context, want, members)
        if any(each["State"]["Name"] in ("stopping", "stopped") for each in members.live):
            start_stopped(context, want.count)
        members = wait_running(context, count=want.count, launched=launched)
        if self._mend_each(context, want, members):
            members = settled_members(context)
        return self._actual(context, want, members)

    def _mend_each(self, context: Context, want: InstanceModel, members: Members) -> bool:
        mended = False
        for instance in members.live:
            fields = {change.field for change in _state_changes(context, want, instance)}
            if "security groups" in fields:
                set_groups(context, instance, group_ids(context, want))
            if "instance profile" in fields:
                attach_profile(context, instance, profile_name(context, want))
            if "metadata tokens" in fields:
                must_be_metadata_v2(context, instance)
            mended = mended or bool(fields)
        return mended

    def delete(self, context: Context, actual: Actual) -> None:
        """End every member, wait until it is terminated, and delete volumes left behind."""
        members = role_members(context.target, session=context.session, resource=context.resource)
        # What is known may be out of date (a launch was cut short), what is seen incomplete.
        known: dict[str, Instance] = {
            each: {} for each in actual.id.split(",") if each.startswith("i-")
        }
        for instance in (*actual.members, *members.live, *members.extra):
            known[str(instance["InstanceId"])] = instance
        end_instances(context, [{**each, "InstanceId": name} for name, each in known.items()])
        delete_volumes(context)
        host_key_file(context).unlink(missing_ok=True)

    def list_tagged(self, target: Target, tags: Mapping[str, str]) -> list[Actual]:
        """Return the roles with living members or with volumes that outlived them."""
        roles: dict[tuple[str, str], list[Instance]] = {}
        for instance in describe(target, tags):
            if instance["State"]["Name"] in LIVE:
                roles.setdefault(_role_of(instance), []).append(instance)
        found = [_listed(instances) for instances in roles.values()]
        for volume in tagged_volumes(target, tags):
            if _role_of(volume) not in roles:
                found.append(
                    Actual(
                        self.name,
                        volume["VolumeId"],
                        volume["VolumeId"],
                        tags=tag_map(volume["Tags"]),
                    )
                )
        return found

    def retag(self, context: Context, actual: Actual) -> None:
        """Set the tags of the instances and their volumes; EC2 keeps those that are not named."""
        tags = {TAG_SESSION: context.session, TAG_RESOURCE: context.resource}
        instances = [
            str(each["InstanceId"])
            for each in describe(context.target, tags)
            if each["State"]["Name"] in LIVE
        ]
        volumes = [str(each["VolumeId"]) for each in tagged_volumes(context.target, tags)]
        retag_ec2(context, instances + volumes)

    def price_per_hour_usd(self, want: InstanceModel) -> float:
        """Return the price of all members with their disks and public addresses."""
        return want.count * instance_hour_usd(want.type, disk_gib=want.disk_gib)

    def _actual(self, context: Context, want: InstanceModel, members: Members) -> Actual:
        live = members.live
        ids = [str(each["InstanceId"]) for each in live]
        inside = [str(each.get("PrivateIpAddress", "")) for each in live]
        outside = [str(each.get("PublicIpAddress", "")) for each in live]
        key = context.neighbours.get(want.key)
        pinned = host_key(context)
        return Actual(
            self.name,
            context.name,
            ",".join(ids + [str(each["InstanceId"]) for each in members.extra]),
            {
                "id": ids[0] if ids else "",
                "ids": ",".join(ids),
                "address": inside[0] if inside else "",
                "addresses": ",".join(inside),
                "public_address": outside[0] if outside else "",
                "public_addresses": ",".join(outside),
                "user": context.target.image(want.image)[1],
                "key_file": key.attributes["key_file"] if key else "",
                "host_key": pinned.public if pinned else "",
                "extra": list(members.extra),
            },
            tag_map((live or members.extra)[0].get("Tags")),
            live,
        )


def _count_changes(want: InstanceModel, members: Members) -> list[Change]:
    have = len(members.live) + len(members.extra)
    found = []
    if members.missing(want.count) or members.surplus(want.count):
        found.append(Change("count", str(have), str(want.count)))
    stopped = [each for each in members.live if each["State"]["Name"] in ("stopped", "stopping")]
    if stopped:
        found.append(Change("state", f"{len(stopped)} stopped", "running"))
    return found


def _state_changes(context: Context, want: InstanceModel, instance: Instance) -> list[Change]:
    tags = tag_map(instance.get("Tags"))
    key = context.neighbours[want.key].attributes["fingerprint"]
    groups = {group["GroupId"] for group in instance.get("SecurityGroups", ())}
    wanted_groups = set(group_ids(context, want))
    profile = instance.get("IamInstanceProfile", {}).get("Arn", "").rsplit("/", 1)[-1]
    tokens = instance.get("MetadataOptions", {}).get("HttpTokens", "required")
    made_of = [
        Change("type", instance["InstanceType"], want.type, "replace"),
        Change("image", tags.get(TAG_IMAGE, "unknown"), want.image, "replace"),
        Change("disk", f"{tags.get(TAG_DISK)}GiB", f"{want.disk_gib}GiB", "replace"),
        Change("key", tags.get(TAG_KEY, "unknown"), key, "replace"),
        Change("instance profile", profile or "none", profile_name(context, want) or "none"),
        Change("metadata tokens", tokens, "required"),
    ]
    if wanted_groups:
        made_of.append(Change("security groups", _listing(groups), _listing(wanted_groups)))
    return [change for change in made_of if change.have != change.want]


def _listing(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _role_of(thing: Mapping[str, Any]) -> tuple[str, str]:
    tags = tag_map(thing.get("Tags"))
    return tags.get(TAG_SESSION, ""), tags.get(TAG_RESOURCE, "")


def _listed(instances: Sequence[Instance]) -> Actual:
    tags = tag_map(instances[0].get("Tags"))
    ids = ",".join(str(each["InstanceId"]) for each in instances)
    name = tags.get("Name") or tags.get(TAG_RESOURCE, ids)
    return Actual(Ec2Instance.name, name, ids, {}, tags, tuple(instances))
