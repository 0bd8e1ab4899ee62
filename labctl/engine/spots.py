"""Finds the machines that faults are done to: reached, with what runs on them, or gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from labctl.engine.agents import service_name
from labctl.engine.machines import chosen_machines, given_roles, machines_of, refreshed, roles
from labctl.engine.stage import Stage
from labctl.errors import LabctlError
from labctl.faults.base import Spot
from labctl.transport.base import Machine
from labctl.transport.parallel import each
from labctl.transport.services import sample_services

_REACH_S = 30.0


def role_of(machine: str) -> str:
    """Return the role of a machine by its name."""
    return machine.partition(".")[0]


def chosen_spots(stage: Stage, selector: str) -> list[Spot]:
    """Return the machines that `worker` or `worker.1` names, with what runs on each.

    Raises `UsageError` with the valid names, and the `TransportError` of one that is not reached.
    """
    for role in roles(stage):
        refreshed(stage, role)
    found = each(chosen_machines(stage, selector), partial(_spot_now, stage))
    for spot in found.values():
        if isinstance(spot, LabctlError):
            raise spot
    return [spot for spot in found.values() if isinstance(spot, Spot)]


def _spot_now(stage: Stage, machine: Machine) -> Spot:
    names = [
        service_name(name) for name, agent in stage.lab.agents.items() if agent.on == machine.role
    ]
    samples = sample_services(stage.transport, machine, names, lines=0, timeout_s=_REACH_S)
    return spot_with(stage, machine, [each.name for each in samples if each.state == "active"])


def spot_with(stage: Stage, machine: Machine, services: Sequence[str]) -> Spot:
    """Return a machine with the services that run there, or ran when a fault began."""
    given = machine.role in given_roles(stage)
    agents = [agent for agent in stage.lab.agents.values() if agent.on == machine.role]
    return Spot(
        machine=machine,
        transport=stage.transport,
        router=None if given else stage.target.router(),
        services=tuple(services),
        stop_timeout_s=max((agent.stop_timeout for agent in agents), default=0.0),
        others={
            name: address for name, address in _addresses(stage).items() if name != machine.name
        },
    )


def _addresses(stage: Stage) -> dict[str, str]:
    """Return the address by which the lab's machines know each of them."""
    found = {}
    for role in roles(stage):
        actual = stage.actuals.get(role)
        private = {
            member["InstanceId"]: str(member.get("PrivateIpAddress") or "")
            for member in (actual.members if actual else ())
        }
        for machine in machines_of(stage, role):
            found[machine.name] = private.get(machine.id) or machine.address
    return found


def still_there(stage: Stage, names: Collection[str]) -> dict[str, Machine | None]:
    """Return by id the machines of the roles of these; None for one that is stopped."""
    found: dict[str, Machine | None] = {}
    for role in {role_of(name) for name in names} & set(roles(stage)):
        actual = refreshed(stage, role).actuals.get(role)
        found |= {member["InstanceId"]: None for member in (actual.members if actual else ())}
        found |= {machine.id: machine for machine in machines_of(stage, role)}
    return found
