"""Ends instances and makes sure of it: terminated is gone, not found is not yet."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from labctl.kinds.base import TAG_RESOURCE, TAG_SESSION, Context
from labctl.kinds.instance_launch import SETTLE_S
from labctl.kinds.instance_members import LIVE, Instance, launched_at
from labctl.kinds.ownership import tag_filters
from labctl.kinds.waiting import wait_for
from labctl.targets.base import Target
from labctl.targets.failures import or_none

# Even a thing that is known for long may be missing from one answer.
_ABSENT_AT_LEAST_S = 2.0
_WITHIN_S = 600.0


def end_instances(context: Context, instances: Sequence[Instance]) -> None:
    """Terminate instances and return once each is terminated, or absent for long enough.

    An instance that was launched a moment ago may be invisible for a while and appear later.
    """
    if not instances:
        return
    ids = [str(instance["InstanceId"]) for instance in instances]
    visible_by = max((_settled_at(instance) for instance in instances), default=0.0)
    absent_since: dict[str, float] = {}

    def ended() -> bool | None:
        states = _states(context.target, ids)
        if alive := [each for each, state in states.items() if state in LIVE]:
            or_none(lambda: context.target.client("ec2").terminate_instances(InstanceIds=alive))
        now = time.time()
        for each in ids:
            if each in states:
                absent_since.pop(each, None)
            else:
                absent_since.setdefault(each, now)
        settled = now > visible_by and all(
            now - since > _ABSENT_AT_LEAST_S for since in absent_since.values()
        )
        going = sum(state != "terminated" for state in states.values())
        context.progress(f"{len(ids) - going} of {len(ids)} terminated")
        return True if not going and (settled or not absent_since) else None

    wait_for(
        ended,
        f"{context.resource}: {len(ids)} instances are terminated",
        cancelled=context.cancelled,
        deadline_s=_WITHIN_S,
    )


def _settled_at(instance: Instance) -> float:
    launched = launched_at(instance)
    return launched + SETTLE_S if launched else time.time() + SETTLE_S


def _states(target: Target, ids: Sequence[str]) -> dict[str, str]:
    """Return the states of those instances that are visible; a filter knows no 'not found'."""
    pages = (
        target.client("ec2")
        .get_paginator("describe_instances")
        .paginate(Filters=[{"Name": "instance-id", "Values": list(ids)}])
    )
    return {
        instance["InstanceId"]: instance["State"]["Name"]
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
        if instance["InstanceId"] in ids
    }


def tagged_volumes(target: Target, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return labctl's volumes with these tags, those that are being deleted left out."""
    pages = (
        target.client("ec2").get_paginator("describe_volumes").paginate(Filters=tag_filters(tags))
    )
    return [
        volume
        for page in pages
        for volume in page["Volumes"]
        if volume.get("State") not in ("deleting", "deleted")
    ]


def delete_volumes(context: Context) -> None:
    """Delete the role's volumes that did not go with their instances, and wait for it."""
    ec2 = context.target.client("ec2")
    tags = {TAG_SESSION: context.session, TAG_RESOURCE: context.resource}

    def gone() -> bool | None:
        left = tagged_volumes(context.target, tags)
        for volume in left:
            if volume["State"] == "available":
                _delete_volume(ec2, volume["VolumeId"])
        return None if left else True

    wait_for(
        gone,
        f"{context.resource}: its volumes are gone",
        cancelled=context.cancelled,
    )


def _delete_volume(ec2: Any, volume_id: str) -> None:  # noqa: ANN401 - boto3's client
    or_none(lambda: ec2.delete_volume(VolumeId=volume_id))
