"""Gives a role of a standing session another number of machines, while its jobs go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from labctl.engine.agents import deploy_agent, service_name
from labctl.engine.machines import INSTANCE, machines_of, make_ready
from labctl.engine.observe import observe, plan_for
from labctl.engine.provision import apply_step
from labctl.engine.stage import Stage
from labctl.errors import UsageError
from labctl.plan.model import Plan
from labctl.spec.counts import count_parameter
from labctl.spec.lab import Agent, Lab
from labctl.spec.params import read_setting
from labctl.spec.references import references_in
from labctl.transport.base import Machine
from labctl.transport.parallel import each
from labctl.transport.services import service_state


def scale_setting(lab: Lab, role: str, count: int) -> dict[str, str]:
    """Return the setting that gives a role so many machines.

    Raises `UsageError` where no setting can: for other names, given machines, fixed numbers, and
    numbers that the parameter or a role does not allow.
    """
    if role in lab.hosts:
        raise UsageError(
            f"the machines of '{role}' are given by hosts: labctl makes none and ends none",
            "add or remove a host in the lab file or the catalogue",
        )
    known = [name for name, model in lab.resources.items() if model.kind == INSTANCE]
    if role not in known:
        raise UsageError(f"no role '{role}' in this lab", f"its roles: {', '.join(known)}")
    parameter = count_parameter(lab.path, role)
    if parameter is None:
        raise UsageError(
            f"the number of '{role}' machines is fixed in the lab file",
            'make it a parameter: count: "${params.workers}"',
        )
    if count < 1:
        raise UsageError("a role has at least one machine", "labctl down takes all of it down")
    try:
        read_setting(lab.params[parameter], str(count))
    except ValueError as error:
        raise UsageError(
            f"{role}: {error}", f"the bounds are those of the parameter '{parameter}'"
        ) from error
    return {parameter: str(count)}


def plan_scale(stage: Stage, role: str) -> Plan:
    """Look at the lab and return the plan for the role alone, and for the agents it concerns.

    Raises `UsageError` when more than a scaling would be needed to get there.
    """
    plan = plan_for(stage, observe(stage))
    step = next(step for step in plan.steps if step.id == role)
    missing = stage.needs(role) - stage.actuals.keys()
    if missing or step.action == "replace":
        why = f"{', '.join(sorted(missing))} is not there" if missing else step.reason
        raise UsageError(
            f"'{role}' needs more than a scaling: {why}", f"labctl up {stage.record.lab}"
        )
    told = {name for name, agent in stage.lab.agents.items() if _concerns(agent, role)}
    pushes = [
        dataclasses.replace(push, after=frozenset({role}))
        for push in plan.steps
        if push.action == "push" and push.resource in told
    ]
    return Plan((dataclasses.replace(step, after=frozenset()), *pushes))


def _concerns(agent: Agent, role: str) -> bool:
    return agent.on == role or role in {found.scope for _, found in references_in(agent)}


def scale_role(stage: Stage, plan: Plan, role: str) -> list[Machine]:
    """Carry out the plan for a role and its agents; return the role's machines, all ready."""
    before = frozenset(machine.id for machine in machines_of(stage, role))
    for step in plan.steps:
        if step.action != "push":
            apply_step(stage, step)
    machines = make_ready(stage, role)
    for name, agent in stage.lab.agents.items():
        if role in {reference.scope for _, reference in references_in(agent)}:
            # It is told the role's addresses, which are others now.
            deploy_agent(stage, name, machines_of(stage, agent.on))
        elif agent.on == role:
            deploy_agent(stage, name, _without(stage, service_name(name), machines, known=before))
    return machines


def _without(
    stage: Stage, service: str, machines: Sequence[Machine], *, known: frozenset[str]
) -> list[Machine]:
    """Return the machines on which a service does not run: new, or left so by a crash."""

    def lacks(machine: Machine) -> bool:
        if machine.id not in known:
            return True
        return service_state(stage.transport, machine, service).state != "active"

    lacking = each(machines, lacks)
    return [machine for machine in machines if lacking[machine.name] is not False]
