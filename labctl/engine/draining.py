"""Lets machines that leave a role finish or return the jobs they hold, before they are ended."""

from __future__ import annotations

import time
from functools import partial

from labctl.engine.agents import service_name
from labctl.engine.machines import machines_of
from labctl.engine.stage import Stage
from labctl.errors import LabctlError
from labctl.events import MachineDrained, Warned
from labctl.kinds.ec2_instance import InstanceModel
from labctl.kinds.instance_members import arrange
from labctl.transport.base import Machine
from labctl.transport.parallel import each
from labctl.transport.services import stop_service

_BESIDES_S = 30.0  # for the login and the service manager, over what the agent itself may take


def drain_leaving(stage: Stage, resource: str) -> None:
    """Stop the agents on the machines that a role has too many, if the resource is a role.

    A machine that cannot be asked is ended all the same, with a warning: what it held comes
    again when its visibility runs out.
    """
    want = stage.want(resource)
    if not isinstance(want, InstanceModel):
        return
    actual = stage.actuals[resource]
    members = arrange((*actual.members, *actual.attributes["extra"]))
    leaving = {each["InstanceId"] for each in members.surplus(want.count)}
    machines = [machine for machine in machines_of(stage, resource) if machine.id in leaving]
    ended = each(machines, partial(_drain, stage))
    for machine, error in ended.items():
        if isinstance(error, LabctlError):
            stage.bus.emit(Warned(message=f"{machine}: {error.message}", hint=error.hint))


def _drain(stage: Stage, machine: Machine) -> None:
    began = time.monotonic()
    for name, agent in stage.lab.agents.items():
        if agent.on == machine.role:
            stop_service(
                stage.transport,
                machine,
                service_name(name),
                timeout_s=agent.stop_timeout + _BESIDES_S,
            )
    stage.bus.emit(
        MachineDrained(machine=machine.name, id=machine.id, seconds=time.monotonic() - began)
    )
