"""Makes a plan: pure, from what the lab wants, what was seen and what the ledger owns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter

from labctl.plan.model import Action, Change, Owned, Plan, Push, Seen, Step, Want


def make_plan(
    wants: Sequence[Want],
    pushes: Sequence[Push],
    *,
    seen: Mapping[str, Seen],
    owned: Sequence[Owned] = (),
) -> Plan:
    """Return the steps that lead from what was seen to what is wanted.

    A resource that the ledger owns and the lab file no longer names is deleted, after all that
    needs it; one that it names anew or makes of another kind is replaced. Raises
    `graphlib.CycleError` on circular needs, which the loader has refused.
    """
    wanted = {want.resource for want in wants}
    before = {item.resource: item for item in owned}
    steps = {
        want.resource: _resource_step(want, seen.get(want.resource), before.get(want.resource))
        for want in wants
    }
    steps |= {name: _after_replaced(step, steps) for name, step in steps.items()}
    steps |= _removals(owned, wanted)
    for push in pushes:
        steps[f"agents.{push.agent}"] = Step(
            id=f"agents.{push.agent}",
            action="push",
            resource=push.agent,
            kind=f"agent on {push.role}",
            name=push.agent,
            reason="pushed only where it is not there already",
            after=frozenset(push.needs | {push.role}) & frozenset(steps),
        )
    order = TopologicalSorter({name: step.after for name, step in steps.items()}).static_order()
    return Plan(tuple(steps[name] for name in order))


def _resource_step(want: Want, seen: Seen | None, before: Owned | None) -> Step:
    action, reason = _decision(seen)
    if before is not None and (moved := _moved(want, before)):
        action, reason = "replace", moved
    return Step(
        id=want.resource,
        action=action,
        resource=want.resource,
        kind=want.kind,
        name=want.name,
        reason=reason,
        after=want.needs,
    )


def _decision(seen: Seen | None) -> tuple[Action, str]:
    if seen is None or not seen.exists:
        return "create", "not there yet"
    if seen.changes is None:
        return "update", "what it refers to is made first"
    if not seen.changes:
        return "keep", "as the lab file says"
    reason = "; ".join(str(change) for change in seen.changes)
    if any(change.action == "replace" for change in seen.changes):
        return "replace", reason
    return "update", reason


def _moved(want: Want, before: Owned) -> str:
    """Return why what the ledger owns cannot be what is wanted now; empty when it can."""
    pairs = (("kind", before.kind, want.kind), ("name", before.name, want.name))
    return "; ".join(str(Change(*pair)) for pair in pairs if pair[1] != pair[2])


def _after_replaced(step: Step, steps: Mapping[str, Step]) -> Step:
    """Return the step, told not to be idle when what it refers to gets another identity."""
    replaced = sorted(
        name for name in step.after if name in steps and steps[name].action == "replace"
    )
    if not replaced or step.action not in ("keep", "update"):
        return step
    reason = f"{', '.join(replaced)} is replaced first"
    if step.action == "update":
        reason = f"{step.reason}; {reason}"
    return replace(step, action="update", reason=reason)


def _removals(owned: Sequence[Owned], wanted: Collection[str]) -> dict[str, Step]:
    """Return delete steps, each after everything that needs the thing now or did before."""
    return {
        item.resource: Step(
            id=item.resource,
            action="delete",
            resource=item.resource,
            kind=item.kind,
            name=item.name,
            reason="no longer in the lab file",
            after=frozenset(other.resource for other in owned if item.resource in other.needs),
        )
        for item in owned
        if item.resource not in wanted
    }


def teardown_order(owned: Sequence[Owned]) -> list[frozenset[str]]:
    """Return groups of resources to delete, each group after all that need its members."""
    names = {item.resource for item in owned}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for item in owned:
        for need in item.needs & names:
            graph[need].add(item.resource)
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    groups: list[frozenset[str]] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        groups.append(frozenset(ready))
        sorter.done(*ready)
    return groups
