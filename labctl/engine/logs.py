"""The logs of a lab's agents, from every machine they run on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from labctl.engine.agents import service_name
from labctl.engine.machines import chosen_machines, come_back, given_roles, refreshed
from labctl.engine.stage import Stage
from labctl.errors import HostKeyChanged, LabctlError, TransportError, UsageError
from labctl.events import Warned
from labctl.transport.base import Machine
from labctl.transport.parallel import each
from labctl.transport.services import log_script

OnLine = Callable[[str, str, str], None]
"""Takes machine, agent and a line."""


def show_logs(
    stage: Stage, selector: str | None, *, follow: bool, lines: int, on_line: OnLine
) -> None:
    """Hand over the last lines of every agent's log, and further ones while it follows.

    `selector` is a role or one machine; without it, all machines with agents. A machine that is
    stopped while its log is followed is waited for, at whatever address it comes back.
    """
    role = (selector or "").partition(".")[0]
    agents = {name: agent.on for name, agent in stage.lab.agents.items() if role in ("", agent.on)}
    if not agents:
        raise UsageError(f"no agent runs on '{selector}'", "labctl show tells the roles")
    watched = [
        (name, machine)
        for name, on in agents.items()
        for machine in chosen_machines(refreshed(stage, on), selector or on)
    ]

    def tail(agent: str, machine: Machine, last: int = lines) -> None:
        stage.transport.follow(
            machine,
            log_script(service_name(agent), follow=follow, lines=last),
            lambda line: on_line(machine.name, agent, line),
            cancelled=stage.cancelled,
        )

    def tail_on(agent: str, machine: Machine) -> None:
        last = lines
        while True:
            try:
                return tail(agent, machine, last)
            except HostKeyChanged:
                raise
            except TransportError as error:
                if machine.role in given_roles(stage):
                    raise
                machine, last = _back(stage, machine, error), 0

    for name in agents:
        machines = [machine for agent, machine in watched if agent == name]
        ended = each(machines, partial(tail_on if follow else tail, name))
        for error in ended.values():
            if isinstance(error, LabctlError):
                raise error


def _back(stage: Stage, machine: Machine, error: TransportError) -> Machine:
    """Return a machine that could not be reached once it can; raises the error if it is gone."""
    stage.bus.emit(Warned(message=f"{error.message}; waiting for {machine.name}"))
    there = come_back(stage, machine)
    if there is None:
        raise error
    hint = f"what it logged meanwhile: labctl logs {stage.record.name} {machine.name}"
    stage.bus.emit(Warned(message=f"{there.name} is back at {there.address}", hint=hint))
    return there
