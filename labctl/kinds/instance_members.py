"""The members of a role: which instances are which, so that no index ever changes its machine.

All instances of one launch bear the same tags, so a launch is tagged with its first index, its
size and what tells it from others (`2+3 a1b2c3d4`); EC2 numbers the instances within the launch.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labctl.kinds.base import TAG_RESOURCE, TAG_SESSION
from labctl.kinds.ownership import tag_filters, tag_map
from labctl.targets.base import Target

TAG_LAUNCH = "labctl:launch"
LIVE = ("pending", "running", "stopping", "stopped")
_LAUNCH = re.compile(r"(\d{1,4})\+(\d{1,4}) [0-9a-f]{8}")
_KEPT_FIELDS = (
    "AmiLaunchIndex",
    "IamInstanceProfile",
    "ImageId",
    "InstanceId",
    "InstanceType",
    "KeyName",
    "MetadataOptions",
    "PrivateDnsName",
    "PrivateIpAddress",
    "PublicDnsName",
    "PublicIpAddress",
    "SecurityGroups",
    "State",
    "StateReason",
    "Tags",
)

Instance = Mapping[str, Any]
"""An instance as DescribeInstances shows it, plain data, with its `Index` in the role."""


@dataclass(frozen=True)
class Members:
    """The instances of one role: those that count, those too many, those that ended."""

    live: tuple[Instance, ...] = ()  # by index
    extra: tuple[Instance, ...] = ()  # another instance has their index, or they have none
    dead: tuple[Instance, ...] = ()

    def missing(self, count: int) -> list[int]:
        """Return the indexes below `count` that no live instance has."""
        there = {instance["Index"] for instance in self.live}
        return [index for index in range(count) if index not in there]

    def surplus(self, count: int) -> list[Instance]:
        """Return the instances that a role of `count` members does not need."""
        return [each for each in self.live if each["Index"] >= count] + list(self.extra)

    def unseen_launch(self, *, now: float, settle_s: float) -> bool:
        """Whether a launch is so young that members of it may not be visible yet."""
        everyone = (*self.live, *self.extra, *self.dead)
        by_launch: dict[str, list[Instance]] = {}
        for instance in everyone:
            by_launch.setdefault(_launch_id(instance), []).append(instance)
        return any(
            len(seen) < (_launch_of(seen[0]) or (0, 1))[1]
            and now - max(launched_at(each) for each in seen) < settle_s
            for seen in by_launch.values()
        )


def role_members(target: Target, *, session: str, resource: str) -> Members:
    """Return the members of one role, by one describe call for all of them."""
    return arrange(describe(target, {TAG_SESSION: session, TAG_RESOURCE: resource}))


def describe(target: Target, tags: Mapping[str, str]) -> list[Instance]:
    """Return labctl's instances with these tags, ended ones included."""
    pages = (
        target.client("ec2").get_paginator("describe_instances").paginate(Filters=tag_filters(tags))
    )
    return [
        plain_instance(instance)
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]


def plain_instance(instance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an instance that labctl uses, as data that JSON can hold."""
    launched: datetime.datetime | None = instance.get("LaunchTime")
    return {
        **{field: instance[field] for field in _KEPT_FIELDS if field in instance},
        "LaunchTime": launched.isoformat() if launched else "",
    }


def launched_at(instance: Instance) -> float:
    """Return when an instance was launched, in unix seconds; 0 when that is unknown."""
    text = instance.get("LaunchTime")
    return datetime.datetime.fromisoformat(text).timestamp() if text else 0.0


def arrange(instances: Iterable[Instance]) -> Members:
    """Give every instance its index; of two with the same one the older keeps it."""
    numbered = _numbered(list(instances))
    live: dict[int, Instance] = {}
    extra: list[Instance] = []
    dead: list[Instance] = []
    for instance in sorted(numbered, key=lambda each: (launched_at(each), each["InstanceId"])):
        if instance["State"]["Name"] not in LIVE:
            dead.append(instance)
        elif instance["Index"] < 0 or instance["Index"] in live:
            extra.append(instance)
        else:
            live[instance["Index"]] = instance
    return Members(tuple(live[index] for index in sorted(live)), tuple(extra), tuple(dead))


def _numbered(instances: Sequence[Instance]) -> list[Instance]:
    by_launch: dict[str, list[Instance]] = {}
    for instance in instances:
        by_launch.setdefault(_launch_id(instance), []).append(instance)
    return [
        {**instance, "Index": index}
        for launched in by_launch.values()
        for index, instance in _indexes(launched)
    ]


def _indexes(launched: list[Instance]) -> list[tuple[int, Instance]]:
    launch = _launch_of(launched[0])
    if launch is None:
        return [(-1, instance) for instance in launched]
    first, size = launch
    ordered = sorted(launched, key=lambda each: each["InstanceId"])
    numbers = [int(each.get("AmiLaunchIndex", 0)) for each in ordered]
    if 1 < len(ordered) <= size and not any(numbers):  # an endpoint that numbers all alike
        numbers = list(range(len(ordered)))
    return [(first + number, each) for number, each in zip(numbers, ordered, strict=True)]


def _launch_id(instance: Instance) -> str:
    return tag_map(instance.get("Tags")).get(TAG_LAUNCH, "")


def _launch_of(instance: Instance) -> tuple[int, int] | None:
    """Return the first index and the size of the launch that an instance came from."""
    match = _LAUNCH.fullmatch(_launch_id(instance))
    return (int(match.group(1)), int(match.group(2))) if match else None
