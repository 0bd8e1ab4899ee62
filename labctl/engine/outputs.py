"""What a lab gives to the student's own programs: endpoint, keys, region and its outputs."""

from __future__ import annotations

import re

from labctl.engine.key_process import process_config
from labctl.engine.machines import machines_of, refreshed, roles
from labctl.engine.stage import Stage


def environment(stage: Stage) -> dict[str, str]:
    """Return the environment variables for a student's programs, by name.

    Outputs are upper-cased after `LAB_`; each machine's address and port follow as
    `LAB_WORKER_0_ADDRESS`, `LAB_WORKER_0_PORT`.
    """
    variables = dict(stage.target.student_environment())
    if stage.target.needs_key_process():
        variables |= process_config(stage.record, stage.folder.path)
    for name, value in outputs(stage).items():
        variables[_variable(name)] = value
    for role in roles(stage):
        for machine in machines_of(refreshed(stage, role), role):
            variables[_variable(f"{machine.name}.address")] = machine.address
            variables[_variable(f"{machine.name}.port")] = str(machine.port)
    return variables


def outputs(stage: Stage) -> dict[str, str]:
    """Return the lab's outputs, their references replaced by what stands."""
    return {name: str(stage.resolved(text)) for name, text in stage.lab.outputs.items()}


def _variable(name: str) -> str:
    return "LAB_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
