"""Carries out a plan's steps on resources: intent to the journal, call, result to the journal."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from labctl.engine.draining import drain_leaving
from labctl.engine.observe import find
from labctl.engine.retry import with_retries
from labctl.engine.stage import Stage
from labctl.errors import LabctlError
from labctl.events import (
    ResourceDeleted,
    ResourceReady,
    StepFailed,
    StepFinished,
    StepProgressed,
    StepRetried,
    StepStarted,
)
from labctl.kinds.base import TAG_RESOURCE, TAG_SESSION, Actual, Change, Context
from labctl.plan.model import Step

Result = TypeVar("Result")


def apply_step(stage: Stage, step: Step) -> None:
    """Carry out one step on a resource and tell the bus how it went."""
    if step.action == "keep" and not _must_look_again(stage, step):
        _note_kept(stage, step)
        return
    began = time.monotonic()
    stage.bus.emit(
        StepStarted(step=step.id, action=step.action, resource=step.resource, kind=step.kind)
    )
    try:
        _carry_out(stage, step)
    except LabctlError as error:
        stage.bus.emit(
            StepFailed(
                step=step.id,
                action=step.action,
                resource=step.resource,
                message=error.message,
                hint=error.hint,
            )
        )
        raise
    stage.bus.emit(
        StepFinished(
            step=step.id,
            action=step.action,
            resource=step.resource,
            kind=step.kind,
            name=step.name,
            seconds=time.monotonic() - began,
        )
    )


def _carry_out(stage: Stage, step: Step) -> None:
    match step.action:
        case "create":
            _create(stage, step)
        case "delete":
            _delete(stage, step)
        case "replace":
            _delete(stage, step)
            _create(stage, step)
        case "update" | "keep":
            _mend(stage, step)
        case "push":
            raise AssertionError("agents are pushed by engine.agents")


def _must_look_again(stage: Stage, step: Step) -> bool:
    """Whether something this resource refers to was made or changed by this command."""
    return bool(step.after & stage.changed)


def _note_kept(stage: Stage, step: Step) -> None:
    """Put a resource that stands back into the journal when the journal does not have it so."""
    entry = stage.journal.entries.get(step.resource)
    actual = stage.actuals[step.resource]
    if entry is None or entry.state != "standing":
        _intend(stage, step)
    if entry is None or entry.state != "standing" or entry.id != actual.id:
        _made(stage, step, actual)


def _intend(stage: Stage, step: Step, generation: int | None = None) -> None:
    entry = stage.journal.entries.get(step.resource)
    stage.journal.intend(
        resource=step.resource,
        kind=step.kind,
        name=step.name,
        needs=stage.needs(step.resource),
        generation=generation or (entry.generation if entry else 1),
    )


def _made(stage: Stage, step: Step, actual: Actual) -> None:
    stage.journal.made(
        step.resource,
        id=actual.id,
        attributes=actual.attributes,
        members=actual.members,
        needs=stage.needs(step.resource),
    )
    stage.actuals[step.resource] = actual


def _ready(stage: Stage, step: Step, actual: Actual) -> None:
    _made(stage, step, actual)
    stage.changed.add(step.resource)
    stage.bus.emit(
        ResourceReady(
            resource=step.resource,
            kind=step.kind,
            name=actual.name,
            id=actual.id,
            members=len(actual.members),
        )
    )


def _create(stage: Stage, step: Step) -> None:
    kind = stage.kind_of(step.resource)
    entry = stage.journal.entries.get(step.resource)
    replaced = entry is not None and entry.state == "gone"
    _intend(stage, step, generation=entry.generation + 1 if entry and replaced else None)
    context = _context(stage, step)
    want = stage.want(step.resource)

    def attempt_create(attempt: int) -> Actual:
        # A call that failed may have worked on the other side: look before calling again.
        taken_back = find(stage, step.resource) if attempt > 1 else None
        if taken_back is not None and not kind.changes(context, want, taken_back):
            return taken_back
        return kind.create(context, want)

    _ready(stage, step, _retried(stage, step, attempt_create))


def _mend(stage: Stage, step: Step) -> None:
    """Bring a standing resource to what the lab file says, now that its references stand."""
    kind = stage.kind_of(step.resource)
    want, context = stage.want(step.resource), _context(stage, step)
    actual = stage.actuals[step.resource]
    changes = kind.changes(context, want, actual)
    if any(change.action == "replace" for change in changes):
        _delete(stage, step)
        _create(stage, step)
    elif changes:
        _ready(stage, step, _updated(stage, step, changes))
    else:
        _note_kept(stage, step)


def _updated(stage: Stage, step: Step, changes: Sequence[Change]) -> Actual:
    kind = stage.kind_of(step.resource)
    want, context = stage.want(step.resource), _context(stage, step)
    entry = stage.journal.entries.get(step.resource)
    if entry is None or entry.state != "standing":
        _intend(stage, step)
    drain_leaving(stage, step.resource)

    def attempt_update(attempt: int) -> Actual:
        if attempt == 1:
            return kind.update(context, want, stage.actuals[step.resource], changes)
        actual = find(stage, step.resource)
        if actual is None:
            return kind.create(context, want)
        left = kind.changes(context, want, actual)
        return kind.update(context, want, actual, left) if left else actual

    return _retried(stage, step, attempt_update)


def _delete(stage: Stage, step: Step) -> None:
    """Delete a resource that is known by the journal or was found."""
    known = stage.journal.entries.get(step.resource)
    if known is None or known.state == "gone":
        _intend(stage, step)
    entry, standing = stage.journal.entries[step.resource], _standing(stage, step)
    stage.journal.deleting(step.resource)
    for actual in standing:
        _retried(stage, step, partial(_delete_one, stage, step.resource, actual))
    stage.journal.gone(step.resource)
    stage.actuals.pop(step.resource, None)
    stage.changed.add(step.resource)
    stage.bus.emit(ResourceDeleted(resource=step.resource, kind=entry.kind, name=entry.name))


def _delete_one(stage: Stage, resource: str, actual: Actual, attempt: int) -> None:
    kind = stage.kinds[actual.kind]
    kind.delete(stage.context(resource, kind, name=actual.name), actual)


def _standing(stage: Stage, step: Step) -> list[Actual]:
    """Return what stands of a resource that is to go, under the name it was made with."""
    entry = stage.journal.entries[step.resource]
    found = stage.actuals.get(step.resource)
    if found is not None and (entry.kind, entry.name) == (step.kind, step.name):
        return [found]
    if entry.id:
        attributes, members = entry.attributes, entry.members
        return [Actual(entry.kind, entry.name, entry.id, attributes, {}, members)]
    # A creation that was cut short: only its tags can tell whether it happened.
    tags = {TAG_SESSION: stage.record.id, TAG_RESOURCE: step.resource}
    kind = stage.kinds[entry.kind]
    return _retried(stage, step, lambda attempt: kind.list_tagged(stage.target, tags))


def _context(stage: Stage, step: Step) -> Context:
    kind = stage.kinds[step.kind]
    return dataclasses.replace(
        stage.context(step.resource, kind),
        progress=lambda message: stage.bus.emit(StepProgressed(step=step.id, message=message)),
    )


def _retried(stage: Stage, step: Step, call: Callable[[int], Result]) -> Result:
    return with_retries(
        call,
        cancelled=stage.cancelled,
        on_retry=lambda attempt, delay_s, reason: stage.bus.emit(
            StepRetried(step=step.id, attempt=attempt, delay_s=delay_s, reason=reason)
        ),
    )
