"""Moves the end of a session on its machines and in its tags, and ends what outlived it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from labctl.engine.choices import Choices
from labctl.engine.lifetime import is_over, refuse_sooner, usual_life_s
from labctl.engine.machines import INSTANCE, given_roles, is_pretence, machines_of
from labctl.engine.observe import find
from labctl.engine.provision import apply_step
from labctl.engine.retry import with_retries
from labctl.engine.stage import Stage
from labctl.errors import LabctlError, TransportError
from labctl.events import Warned
from labctl.kinds.base import TAG_EXPIRES, TAG_RESOURCE, TAG_SESSION, Actual, Context, Kind
from labctl.kinds.ownership import tag_map
from labctl.ledger.sessions import SessionRecord
from labctl.plan.model import Step
from labctl.spec.catalogue import load_catalogue
from labctl.telling import seconds
from labctl.transport.base import Machine
from labctl.transport.deadlines import move_deadline
from labctl.transport.parallel import each

Result = TypeVar("Result")


def with_its_end(stage: Stage, choices: Choices, *, may_shorten: bool) -> SessionRecord:
    """Return the record of a known session with the end that `up` gives it.

    That is the chosen one, or a new one where its time is over; else it stays. Raises `UsageError`
    for one that is sooner than its own, unless it may be.
    """
    record, now, life_s = stage.record, time.time(), choices.ttl_s
    if is_over(record, now=now):
        defaults = load_catalogue(choices.catalogue_file).defaults
        life_s = life_s or usual_life_s(stage.lab, defaults)
        told = f"the time of '{record.name}' was over: it lives {seconds(life_s)} from now on"
        stage.bus.emit(Warned(message=told))
        for step in _steps_for_overdue(stage):
            apply_step(stage, step)
    if life_s is None:
        return record
    if not may_shorten:
        refuse_sooner(record, life_s, now=now)
    return dataclasses.replace(record, expires_at=now + life_s)


def _steps_for_overdue(stage: Stage) -> list[Step]:
    """Return the steps that end machines which outlived their time and only seem to stand.

    They end at any moment, or as soon as they are started: none of them is worth waiting for.
    """
    overdue = []
    for role in _own_roles(stage):
        actual = find(stage, role)
        ends = [_end_of(member) for member in actual.members] if actual else []
        if any(end is not None and end <= time.time() for end in ends):
            kind, name = INSTANCE, stage.physical_name(role, stage.kind_of(role))
            overdue.append(Step(role, "delete", role, kind, name, "its time is over"))
    return overdue


def _end_of(member: Any) -> float | None:  # noqa: ANN401 - an instance as the target shows it
    try:
        return float(tag_map(member.get("Tags"))[TAG_EXPIRES])
    except (KeyError, ValueError):
        return None


def _own_roles(stage: Stage) -> list[str]:
    """Return the roles whose machines labctl makes."""
    resources = stage.lab.resources.items()
    given = given_roles(stage)
    return [name for name, model in resources if model.kind == INSTANCE and name not in given]


def standing_machines(stage: Stage) -> list[Machine]:
    """Return the session's own machines as they are now.

    Raises `TransportError` naming those that nobody can reach, such as stopped ones.
    """
    machines: list[Machine] = []
    lost: list[str] = []
    for role in _own_roles(stage):
        actual = find(stage, role)
        stage.actuals.pop(role, None)
        if actual is None:
            continue
        stage.actuals[role] = actual
        if is_pretence(stage, role):
            continue
        placed = machines_of(stage, role)
        up = {member["InstanceId"] for member in actual.members if _runs(member)}
        machines += [machine for machine in placed if machine.id in up]
        reached = {machine.id for machine in machines}
        lost += [
            f"{role}.{index} ({member['State']['Name']})"
            for index, member in enumerate(actual.members)
            if member["InstanceId"] not in reached
        ]
    if lost:
        raise TransportError(
            f"{', '.join(lost)}: cannot be reached, so that its end cannot be moved",
            f"labctl up {stage.record.name} starts what is stopped, and takes --ttl",
        )
    return machines


def _runs(member: Any) -> bool:  # noqa: ANN401 - as above
    return member["State"]["Name"] in ("pending", "running")


def move_end(stage: Stage, machines: Sequence[Machine]) -> None:
    """Make machines, then tags say when the session ends, as the stage's record has it.

    Raises `TransportError` naming the machines that still end as before; it can be done again.
    """
    given = given_roles(stage)
    own = [machine for machine in machines if machine.role not in given]
    ends_at = stage.record.expires_at
    ended = each(own, partial(move_deadline, stage.transport, ends_at=ends_at))
    failed = {name: end for name, end in ended.items() if isinstance(end, LabctlError)}
    if failed:
        first = next(iter(failed.values()))
        raise TransportError(
            f"the end of {', '.join(failed)} could not be moved: {first.message}",
            first.hint or "run the same command again",
        )
    _retag_all(stage)


def _retag_all(stage: Stage) -> None:
    """Set the tags of everything that bears the session's, of every kind."""
    with ThreadPoolExecutor(len(stage.kinds), thread_name_prefix="tags") as pool:
        for done in [pool.submit(_retag, stage, kind) for kind in stage.kinds.values()]:
            done.result()


def _retag(stage: Stage, kind: Kind[Any]) -> None:
    mine = {TAG_SESSION: stage.record.id}
    for actual in _retried(stage, lambda: kind.list_tagged(stage.target, mine)):
        if TAG_RESOURCE in actual.tags:  # else a bucket that only its name tells
            _retried(stage, partial(kind.retag, _context(stage, actual), actual))


def _context(stage: Stage, actual: Actual) -> Context:
    resource = actual.tags[TAG_RESOURCE]
    return Context(
        target=stage.target,
        lab=stage.record.lab,
        session=stage.record.id,
        resource=resource,
        name=actual.name,
        tags=stage.tags(resource),
        keys_folder=stage.folder.keys,
        neighbours={},
        cancelled=stage.cancelled,
    )


def _retried(stage: Stage, call: Callable[[], Result]) -> Result:
    return with_retries(
        lambda attempt: call(),
        cancelled=stage.cancelled,
        on_retry=lambda attempt, delay_s, reason: None,
    )
