"""Has made beforehand, once for all machines, what an agent's program begins with there."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.cloud.prepared import Preparation
from labctl.engine.machines import given_roles
from labctl.engine.programs import shipped_program
from labctl.engine.stage import Stage
from labctl.errors import TargetError
from labctl.events import StepProgressed, Warned
from labctl.spec.lab import Agent
from labctl.transport.base import Bundle
from labctl.transport.packages import packages_of


def prepared(stage: Stage, name: str, agent: Agent, bundled: Bundle) -> Mapping[str, str]:
    """Return what the agent's environment says of what is prepared for it; nothing if nothing is.

    Only programs that labctl ships are run on this machine: a lab's own know their machines only.
    """
    folder = shipped_program(stage.lab.path.parent, agent.program)
    if folder is None or not agent.prepare or agent.on in given_roles(stage):
        return {}
    wanted = Preparation(
        program=folder,
        digest=bundled.digest,
        arguments=agent.prepare,
        needs=tuple(each.program for each in packages_of(bundled)),
    )
    try:
        return stage.target.prepare(
            wanted,
            lambda text: stage.bus.emit(StepProgressed(step=f"agents.{name}", message=text)),
        )
    except TargetError as error:
        stage.bus.emit(Warned(message=error.message, hint=error.hint))
        return {}
