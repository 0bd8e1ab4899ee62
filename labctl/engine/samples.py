"""Looks at a session's machines as they work: their agents' states, load and last words."""

from __future__ import annotations

from functools import partial

from labctl.engine.agents import service_name
from labctl.engine.machines import machines_of, refreshed, roles
from labctl.engine.stage import Stage
from labctl.errors import LabctlError
from labctl.events import MachineSampled
from labctl.transport.base import Machine
from labctl.transport.parallel import each
from labctl.transport.services import ServiceSample, sample_services

LOG_LINES = 30
_ANSWERS_WITHIN_S = 6.0


def sample_machines(stage: Stage) -> list[MachineSampled]:
    """Ask every machine; of one that does not answer the sample says why.

    A role of which one is silent is looked up again: a stop and start gives new addresses.
    """
    samples: list[MachineSampled] = []
    for role in roles(stage):
        found = _sample_role(stage, machines_of(stage, role))
        if any(sample.why for sample in found):
            before = machines_of(stage, role)
            after = machines_of(refreshed(stage, role), role)
            found = _sample_role(stage, after) if after != before else found
        samples += [*found, *_unplaced(stage, role, {sample.id for sample in found})]
    return samples


def _unplaced(stage: Stage, role: str, found: set[str]) -> list[MachineSampled]:
    """Return the role's machines that the target cannot place (any more)."""
    actual = stage.actuals.get(role)
    return [
        MachineSampled(
            machine=f"{role}.{index}",
            id=member["InstanceId"],
            address="",
            port=0,
            why="the target does not know where it is: is it stopped, or gone?",
        )
        for index, member in enumerate(actual.members if actual else ())
        if member["InstanceId"] not in found
    ]


def _sample_role(stage: Stage, machines: list[Machine]) -> list[MachineSampled]:
    if not machines:
        return []
    agents = [name for name, agent in stage.lab.agents.items() if agent.on == machines[0].role]
    names = [service_name(agent) for agent in agents]
    look = partial(
        sample_services, stage.transport, names=names, lines=LOG_LINES, timeout_s=_ANSWERS_WITHIN_S
    )
    ended = each(machines, look)
    return [_sampled(machine, ended[machine.name]) for machine in machines]


def _sampled(machine: Machine, end: list[ServiceSample] | LabctlError) -> MachineSampled:
    about = partial(
        MachineSampled,
        machine=machine.name,
        id=machine.id,
        address=machine.address,
        port=machine.port,
    )
    if isinstance(end, LabctlError):
        return about(why=end.message)
    return about(
        services={sample.name.removeprefix(service_name("")): sample.state for sample in end},
        pids=tuple(sample.pid for sample in end),
        cpu_s=sum(sample.cpu_s for sample in end),
        memory_bytes=sum(sample.memory_bytes for sample in end),
        log=tuple(line for sample in end for line in sample.log.splitlines()),
    )
