"""Puts a lab's agents on their machines and starts them, skipping what runs there already."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial

from labctl.engine.machines import given_roles, machines_of
from labctl.engine.preparing import prepared
from labctl.engine.programs import program_bundle
from labctl.engine.secrets import made_secrets
from labctl.engine.stage import Stage
from labctl.engine.worker_keys import are_pushed
from labctl.errors import LabctlError, TransportError
from labctl.events import AgentReady, StepFailed, Warned
from labctl.ledger.faults import faults_on
from labctl.spec.lab import Agent, Ready
from labctl.transport.base import Machine
from labctl.transport.credentials import push_credentials
from labctl.transport.packages import packages_of
from labctl.transport.parallel import each
from labctl.transport.secrets import push_secrets
from labctl.transport.service_readiness import LogSays, PortOpen, wait_service_ready
from labctl.transport.services import install, remove_service
from labctl.transport.units import Service

READY_WITHIN_S = 120.0


def service_name(agent: str) -> str:
    """Return the name of an agent's service on its machines."""
    return f"labctl-{agent}"


def deploy_agents(stage: Stage, machines: dict[str, list[Machine]]) -> int:
    """Push, install and start every agent on all machines of its role, and wait until ready.

    `machines` are those found ready, by role. Returns how many agents were not running as they
    should on each. Raises the first machine's error after all ended.
    """
    changed = 0
    for name, agent in stage.lab.agents.items():
        changed += deploy_agent(stage, name, machines[agent.on])
    return changed


def deploy_agent(stage: Stage, name: str, machines: Sequence[Machine]) -> bool:
    """Push, install and start one agent on these machines, and wait until ready.

    Returns whether it was not running as it should on any of them.
    """
    agent = stage.lab.agents[name]
    if not machines:
        return False
    service = _service(stage, name, agent)
    machines = _not_at_fault(stage, service.name, machines)
    secrets = made_secrets(stage.folder, agent.secrets)
    ended = each(machines, partial(_deploy, stage, service, agent, secrets))
    _raise_first(stage, name, list(ended.values()))
    return any(end is True for end in ended.values())


def _not_at_fault(stage: Stage, service: str, machines: Sequence[Machine]) -> list[Machine]:
    """Return the machines on which no fault holds a service: what is done on purpose stays."""
    held = {
        entry.machine_id: entry
        for entry in faults_on(stage.folder).values()
        if service in entry.services and entry.touches == "processes"
    }
    for machine in machines:
        if machine.id in held:
            stage.bus.emit(
                Warned(
                    message=f"{service} is left as it is on {machine.name}: "
                    f"{held[machine.id].what} is on",
                    hint=f"labctl fault clear {stage.record.name}",
                )
            )
    return [machine for machine in machines if machine.id not in held]


def _service(stage: Stage, name: str, agent: Agent) -> Service:
    bundled, packages = program_bundle(stage.lab.path, agent.program)
    resolved = stage.resolved(agent)
    return Service(
        name=service_name(name),
        bundle=bundled,
        module=agent.program,
        arguments=tuple(resolved.args),
        environment={
            **stage.target.worker_environment(),
            **prepared(stage, name, resolved, bundled),
            **resolved.env,
        },
        requirements=packages,
        restart=agent.restart,
        stop_timeout_s=agent.stop_timeout,
        has_secrets=bool(agent.secrets),
        packages=packages_of(bundled),
    )


def _deploy(
    stage: Stage, service: Service, agent: Agent, secrets: Mapping[str, str], machine: Machine
) -> bool:
    began = time.monotonic()
    if are_pushed(stage.lab, agent.on, target=stage.target.name):
        keys = stage.target.worker_credentials()
        if keys:
            push_credentials(stage.transport, machine, keys)
    if secrets:
        push_secrets(stage.transport, machine, service.name, secrets)
    changed = install(stage.transport, machine, service)
    if agent.ready is not None:
        wait_service_ready(
            stage.transport,
            machine,
            service.name,
            _sign(agent.ready),
            deadline_s=READY_WITHIN_S,
            cancelled=stage.cancelled,
        )
    stage.bus.emit(
        AgentReady(
            agent=service.name,
            machine=machine.name,
            changed=changed,
            seconds=time.monotonic() - began,
        )
    )
    return changed


def _sign(ready: Ready) -> LogSays | PortOpen:
    if ready.log is not None:
        return LogSays(ready.log)
    assert ready.port is not None, "the loader lets exactly one of the two through"
    return PortOpen(ready.port)


def _raise_first(stage: Stage, agent: str, ended: Sequence[LabctlError | bool]) -> None:
    errors = [each for each in ended if isinstance(each, LabctlError)]
    for error in errors:
        stage.bus.emit(
            StepFailed(
                step=f"agents.{agent}",
                action="push",
                resource=agent,
                message=error.message,
                hint=error.hint,
            )
        )
    if errors:
        raise errors[0]


def clear_hosts(stage: Stage) -> None:
    """Stop and remove the agents on given machines, and the keys pushed there.

    Machines that labctl created go away whole; those it was lent must be as they were.
    """
    for name, agent in stage.lab.agents.items():
        if agent.on not in given_roles(stage):
            continue
        remove = partial(_remove, stage, service_name(name), agent.program)
        ended = each(machines_of(stage, agent.on), remove)
        for machine, error in ended.items():
            if isinstance(error, TransportError):
                stage.bus.emit(Warned(message=f"{machine}: {error.message}", hint=error.hint))


def _remove(stage: Stage, service: str, program: str, machine: Machine) -> None:
    remove_service(stage.transport, machine, service, bundle=program)
