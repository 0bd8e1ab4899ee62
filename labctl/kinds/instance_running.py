"""Waits until every member of a role runs, starting those that somebody stopped."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.errors import TargetError
from labctl.kinds.base import Context
from labctl.kinds.instance_launch import within_limits
from labctl.kinds.instance_members import Instance, Members, role_members
from labctl.kinds.waiting import wait_for
from labctl.text import one_line

_WITHIN_S = 600.0


def start_stopped(context: Context, count: int) -> None:
    """Start the members that are stopped; one that is still stopping is waited for."""

    def stopped() -> list[Instance] | None:
        live = _members(context).live[:count]
        if any(each["State"]["Name"] == "stopping" for each in live):
            return None
        return [each for each in live if each["State"]["Name"] == "stopped"]

    found = wait_for(
        stopped,
        f"{context.resource}: stopping instances have stopped",
        cancelled=context.cancelled,
        deadline_s=_WITHIN_S,
    )
    if found:
        with within_limits(context, [str(each["InstanceType"]) for each in found]):
            ids = [str(each["InstanceId"]) for each in found]
            context.target.client("ec2").start_instances(InstanceIds=ids)


def wait_running(context: Context, *, count: int, launched: Sequence[str]) -> Members:
    """Return the members once all of them run; each look is one call for the whole role.

    Raises `TargetError` with EC2's reason when a newly launched instance ends instead.
    """

    def running() -> Members | None:
        members = _members(context)
        for instance in members.dead:
            if instance["InstanceId"] in launched:
                reason = instance.get("StateReason", {}).get("Message", "no reason given")
                raise TargetError(
                    f"{context.resource}: a new instance ended at once: {one_line(reason)}",
                    "the account's limits on volumes and vCPUs are the usual cause",
                )
        up = sum(each["State"]["Name"] == "running" for each in members.live[:count])
        context.progress(f"{up} of {count} running")
        return members if up == count and not members.missing(count) else None

    return wait_for(
        running,
        f"{context.resource}: {count} instances run",
        cancelled=context.cancelled,
        deadline_s=_WITHIN_S,
    )


def _members(context: Context) -> Members:
    return role_members(context.target, session=context.session, resource=context.resource)
