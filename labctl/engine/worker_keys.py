"""Gives the machines of a lab their keys, again each time that there are new ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from labctl.engine.machines import machines_of, roles
from labctl.engine.stage import Stage
from labctl.errors import LabctlError
from labctl.events import KeysPushed, Warned
from labctl.spec.lab import Lab
from labctl.transport.base import Machine
from labctl.transport.credentials import push_credentials
from labctl.transport.parallel import each


def are_pushed(lab: Lab, role: str, *, target: str) -> bool:
    """Return whether a role's machines get a file: no instance profile gives them their keys.

    A file would come before the profile. Only EC2's metadata service serves one; local instances
    have none.
    """
    if role not in {agent.on for agent in lab.agents.values()}:
        return False
    profile = getattr(lab.resources.get(role), "profile", None)
    return not (profile and target == "aws")


def push_keys(stage: Stage, machines: Sequence[Machine]) -> list[str]:
    """Push the present keys to machines and return the names of those that have them now.

    A machine that cannot be reached is warned of; the keys of the others do not wait for it.
    """
    text = stage.target.worker_credentials()
    if text is None or not machines:
        return []
    ended = each(machines, partial(_push, stage, text))
    for name, end in ended.items():
        if isinstance(end, LabctlError):
            stage.bus.emit(Warned(message=f"{name} has no new keys: {end.message}", hint=end.hint))
    return [name for name, end in ended.items() if not isinstance(end, LabctlError)]


def _push(stage: Stage, text: str, machine: Machine) -> None:
    push_credentials(stage.transport, machine, text)


def push_to_all(stage: Stage) -> list[str]:
    """Push the present keys to every machine of the session that works with a file of them."""
    machines = [
        machine
        for role in roles(stage)
        if are_pushed(stage.lab, role, target=stage.target.name)
        for machine in machines_of(stage, role)
    ]
    pushed = push_keys(stage, machines)
    if pushed:
        stage.bus.emit(KeysPushed(machines=tuple(pushed)))
    return pushed
