"""Holds a plan against the account's limits before anything is created: every reason at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labctl.engine.retry import with_retries
from labctl.engine.stage import Stage
from labctl.errors import LimitError
from labctl.events import Warned
from labctl.kinds.ec2_instance import InstanceModel
from labctl.kinds.headroom import MAKE_ROOM, RUNNING, Headroom, Running, count_reasons
from labctl.kinds.iam_instance_profile import InstanceProfileModel
from labctl.kinds.instance_launch import VOLUME_TYPE
from labctl.plan.model import Plan, Step
from labctl.spec.fields import ResourceModel
from labctl.spec.limits import AccountLimits

_GIB = 2**30


@dataclass(frozen=True)
class _Start:
    """What one step starts: as many instances of a type, once those in `ending` have ended."""

    type: str
    count: int
    ending: frozenset[str] = frozenset()


def refuse_over_limits(stage: Stage, plan: Plan) -> None:
    """Raise `LimitError`, with every reason, when the account does not allow what a plan makes."""
    reasons = over_limits(stage, plan)
    if stage.headroom is not None and reasons:
        raise LimitError(
            f"the lab does not fit {stage.headroom.limits.name}", MAKE_ROOM, reasons=reasons
        )


def over_limits(stage: Stage, plan: Plan) -> list[str]:
    """Return every reason why the account does not allow what a plan makes; [] without limits."""
    headroom = stage.headroom
    made = [step for step in plan.steps if step.action in ("create", "update", "replace")]
    if headroom is None or not made:
        return []
    limits, region = headroom.limits, stage.record.region
    found = []
    if limits.regions and region not in limits.regions:
        found.append(f"region: {region}, {limits.name} allows {_listing(limits.regions)}")
    starts = [
        _start(stage, step, want)
        for step in made
        if isinstance(want := stage.lab.resources[step.resource], InstanceModel)
    ]
    more = [start.type for start in starts for _ in range(start.count)]
    ending = {number for start in starts for number in start.ending}
    beside = [each for each in _running(stage, headroom) if each.id not in ending] if more else []
    found += count_reasons(limits, region, who="the lab", running=beside, more=more)
    for step in made:
        found += _model_reasons(limits, step.resource, stage.lab.resources[step.resource])
    return found


def _running(stage: Stage, headroom: Headroom) -> list[Running]:
    return with_retries(
        lambda attempt: headroom.running(),
        cancelled=stage.cancelled,
        on_retry=lambda attempt, delay_s, reason: stage.bus.emit(
            Warned(message=f"limits: {reason}; looking again in {delay_s:.1f} s")
        ),
    )


def _start(stage: Stage, step: Step, want: InstanceModel) -> _Start:
    """Return what a step on a role starts; members that run and stay are not started."""
    actual = stage.actuals.get(step.resource)
    if actual is None or actual.kind != want.kind:
        return _Start(want.type, want.count)
    everyone = (*actual.members, *actual.attributes["extra"])
    running = {each["InstanceId"] for each in everyone if each["State"]["Name"] in RUNNING}
    stays = {
        each["InstanceId"]
        for each in actual.members
        if step.action == "update" and each["Index"] < want.count
    } & running
    return _Start(want.type, want.count - len(stays), frozenset(running - stays))


def _model_reasons(limits: AccountLimits, name: str, want: ResourceModel) -> list[str]:
    """Return why the account does not allow one resource, however much else there is."""
    if isinstance(want, InstanceModel):
        return _instance_reasons(limits, name, want)
    if isinstance(want, InstanceProfileModel) and not want.existing and not limits.iam.create:
        there = limits.exists.instance_profile
        instead = f"; name the one that exists: {{existing: {there}}}" if there else ""
        return [f"{name}: {limits.name} allows no new roles and instance profiles{instead}"]
    return []


def _instance_reasons(limits: AccountLimits, name: str, want: InstanceModel) -> list[str]:
    sizes, types, largest = limits.instances.sizes, limits.volumes.types, limits.volumes.largest
    found = []
    if sizes and want.type.partition(".")[2] not in sizes:
        found.append(f"{name}: type {want.type}, {limits.name} allows the sizes {_listing(sizes)}")
    if types and VOLUME_TYPE not in types:
        found.append(f"{name}: {VOLUME_TYPE} volumes, {limits.name} allows {_listing(types)}")
    if largest is not None and want.disk > largest:
        most = f"{largest / _GIB:g} GiB"
        found.append(f"{name}: disk of {want.disk_gib} GiB, {limits.name} allows {most}")
    return found


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names)
