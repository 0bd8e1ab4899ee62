"""Looks at the target before a plan: which resources of the session stand, and how they differ."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from graphlib import TopologicalSorter

from labctl.engine.retry import with_retries
from labctl.engine.stage import Stage
from labctl.events import Warned
from labctl.kinds.base import Actual
from labctl.plan.make import make_plan
from labctl.plan.model import Owned, Plan, Push, Seen, Want

LOOKS_AT_ONCE = 16


def observe(stage: Stage) -> dict[str, Seen]:
    """Find every resource of the lab file and fill `stage.actuals`.

    In parallel, but each after what it needs: a resource is judged by its neighbours. Raises
    `OwnershipError` where a name is taken by something that is not the session's.
    """
    seen: dict[str, Seen] = {}
    order = TopologicalSorter({name: stage.needs(name) for name in stage.lab.resources})
    order.prepare()
    with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="look") as pool:
        while order.is_active():
            names = order.get_ready()
            found = zip(names, pool.map(lambda name: find(stage, name), names), strict=True)
            standing = {name: actual for name, actual in found if actual is not None}
            stage.actuals.update(standing)
            seen |= {name: _seen(stage, name, standing.get(name)) for name in names}
            order.done(*names)
    return seen


def find(stage: Stage, resource: str) -> Actual | None:
    """Return one resource of the lab file as it stands, retried while throttled."""
    kind = stage.kind_of(resource)
    context = stage.context(resource, kind)
    return with_retries(
        lambda attempt: kind.find(context, stage.want(resource)),
        cancelled=stage.cancelled,
        on_retry=lambda attempt, delay_s, reason: stage.bus.emit(
            Warned(message=f"{resource}: {reason}; looking again in {delay_s:.1f} s")
        ),
    )


def _seen(stage: Stage, resource: str, actual: Actual | None) -> Seen:
    if actual is None:
        return Seen(exists=False)
    if not stage.needs(resource) <= stage.actuals.keys():
        return Seen(exists=True, changes=None)
    kind = stage.kind_of(resource)
    changes = kind.changes(stage.context(resource, kind), stage.want(resource), actual)
    return Seen(exists=True, changes=tuple(changes))


def plan_for(stage: Stage, seen: Mapping[str, Seen]) -> Plan:
    """Return the plan from what was seen, what the lab wants and what the journal owns."""
    wants = [
        Want(
            resource=name,
            kind=model.kind,
            name=stage.physical_name(name, stage.kind_of(name)),
            needs=stage.needs(name),
        )
        for name, model in stage.lab.resources.items()
    ]
    pushes = [
        Push(agent=name, role=agent.on, needs=stage.lab.agent_needs(name))
        for name, agent in stage.lab.agents.items()
    ]
    owned = [
        Owned(entry.resource, entry.kind, entry.name, entry.needs)
        for entry in stage.entries.values()
        if entry.state != "gone"
    ]
    return make_plan(wants, pushes, seen=seen, owned=owned)


def price_per_hour_usd(stage: Stage) -> float:
    """Return the rough price of the whole lab at rest, in US dollars an hour."""
    return sum(
        stage.kinds[model.kind].price_per_hour_usd(model) for model in stage.lab.resources.values()
    )
