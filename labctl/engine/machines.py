"""The machines behind a lab's roles: where SSH reaches each, and which host keys are pinned."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from labctl.engine.observe import find
from labctl.engine.stage import Stage
from labctl.errors import Interrupted, LabctlError, TargetError, TransportError, UsageError
from labctl.events import MachineReady, Warned
from labctl.kinds.base import Actual
from labctl.ledger.journal import Entry
from labctl.paths import write_private
from labctl.spec.hosts import HostModel
from labctl.spec.lab import Lab
from labctl.targets.hosts import machines_from_hosts
from labctl.transport.base import Completed, Machine
from labctl.transport.host_keys import rotate_host_key
from labctl.transport.parallel import each

INSTANCE = "ec2.instance"
READY_WITHIN_S = 300.0
LOOK_AGAIN_S = 0.05
COME_BACK_S = 1.0
MACHINES_AT_ONCE = 32


def given_roles(stage: Stage) -> Mapping[str, Sequence[HostModel]]:
    """Return the roles for which the lab file or the catalogue gives machines."""
    return stage.lab.hosts


def roles(stage: Stage) -> list[str]:
    """Return the roles of the lab, those of given machines included."""
    own = [name for name, model in stage.lab.resources.items() if model.kind == INSTANCE]
    return [*own, *given_roles(stage)]


def machine_names(lab: Lab, entries: Mapping[str, Entry]) -> list[str]:
    """Return every role and machine of a lab, as its file and its journal know them."""
    counts = {role: len(hosts) for role, hosts in lab.hosts.items()}
    for name, model in lab.resources.items():
        if model.kind == INSTANCE and name not in counts:
            counts[name] = len(entries[name].members) if name in entries else 0
    return [
        name
        for role, count in counts.items()
        for name in (role, *(f"{role}.{index}" for index in range(count)))
    ]


def machines_of(stage: Stage, role: str) -> list[Machine]:
    """Return the machines of a role that the target can place, in their stable order.

    Raises `UsageError` with the valid names when there is no such role.
    """
    if role in given_roles(stage):
        return machines_from_hosts(role, given_roles(stage)[role])
    if role not in roles(stage):
        raise UsageError(f"no role '{role}' in this lab", f"its roles: {', '.join(roles(stage))}")
    actual = stage.actuals.get(role)
    if actual is None:
        return []
    placed = (_machine(stage, actual, role, index) for index in range(len(actual.members)))
    return [machine for machine in placed if machine is not None]


def refreshed(stage: Stage, selector: str) -> Stage:
    """Look a role's instances up again, by id: a stop and start gives them new addresses."""
    role = selector.partition(".")[0]
    if role in stage.lab.resources:
        actual = find(stage, role)
        if actual is not None:
            stage.actuals[role] = actual
    return stage


def come_back(stage: Stage, machine: Machine) -> Machine | None:
    """Wait for an instance that was stopped and return it where it is now; None when it has ended.

    It is looked up by its id, for as long as it is stopped. Raises the `TransportError` of one
    that runs and still does not answer, and `Interrupted`.
    """
    placed_at: float | None = None
    while not stage.cancelled.wait(COME_BACK_S):
        actual = find(stage, machine.role)
        if actual is None or machine.id not in {each["InstanceId"] for each in actual.members}:
            return None
        stage.actuals[machine.role] = actual
        here = [each for each in machines_of(stage, machine.role) if each.id == machine.id]
        placed_at = (placed_at or time.monotonic()) if here else None
        try:
            for found in here:
                stage.transport.run(found, "true")
                return found
        except TransportError:
            if placed_at is None or time.monotonic() - placed_at > READY_WITHIN_S:
                raise
    raise Interrupted(f"stopped while waiting for {machine.name}", "run the command again")


def chosen_machines(stage: Stage, selector: str) -> list[Machine]:
    """Return the machines that `worker` or `worker.1` names."""
    role, _, index = selector.partition(".")
    machines = machines_of(stage, role)
    if not machines:
        raise TransportError(f"no machine of role '{role}' is up", f"labctl up {stage.record.lab}")
    if not index:
        return machines
    chosen = [machine for machine in machines if str(machine.index) == index]
    if not chosen:
        names = ", ".join(machine.name for machine in machines)
        raise UsageError(f"no machine '{selector}'", f"there are {names}")
    return chosen


def run_on_role(
    stage: Stage, selector: str, script: str, stdin: bytes
) -> Mapping[str, Completed | LabctlError]:
    """Run a script on the machines that `worker` or `worker.1` names; return how each ended."""
    role, _, index = selector.partition(".")
    if role in stage.lab.left_out:
        return {}
    return each(
        [machine for machine in machines_of(stage, role) if index in ("", str(machine.index))],
        lambda machine: stage.transport.run(machine, script, stdin=stdin),
    )


def _machine(stage: Stage, actual: Actual, role: str, index: int) -> Machine | None:
    member = actual.members[index]
    place = stage.target.place(member)
    if place is None:
        return None
    return Machine(
        role=role,
        index=index,
        id=member["InstanceId"],
        address=place.address,
        port=place.port,
        user=actual.attributes["user"],
        key_file=Path(actual.attributes["key_file"]),
        host_keys=_pins(stage).get(member["InstanceId"]) or (actual.attributes["host_key"],),
    )


def _pins_file(stage: Stage) -> Path:
    return stage.folder.keys / "host-keys.json"


def _pins(stage: Stage) -> Mapping[str, tuple[str, ...]]:
    """Return the pinned host keys by instance id; those not rotated yet are not among them."""
    try:
        pins: dict[str, Any] = json.loads(_pins_file(stage).read_text())
    except FileNotFoundError:
        return {}
    return {name: tuple(keys) for name, keys in pins.items()}


def _pin(stage: Stage, machine: Machine, keys: tuple[str, ...]) -> None:
    with stage.pins_lock:
        write_private(_pins_file(stage), json.dumps({**_pins(stage), machine.id: keys}, indent=1))


def make_ready(stage: Stage, role: str) -> list[Machine]:
    """Wait until every machine of a role runs commands, each with a host key of its own.

    The launch gives all machines of a role one host key through the user data, which can be read
    back from the account: so each gets a new one on its first login.
    """
    count = _expected(stage, role)
    began = time.monotonic()
    machines = _placed(stage, role, count)
    with ThreadPoolExecutor(MACHINES_AT_ONCE, thread_name_prefix="machine") as pool:
        return list(pool.map(lambda machine: _ready(stage, machine, began), machines))


def _expected(stage: Stage, role: str) -> int:
    actual = stage.actuals.get(role)
    return len(actual.members) if actual else len(machines_of(stage, role))


def _placed(stage: Stage, role: str, count: int) -> list[Machine]:
    """Return the machines once the target knows where each of them is."""
    deadline = time.monotonic() + READY_WITHIN_S
    while len(machines := machines_of(stage, role)) < count:
        if stage.cancelled.is_set():
            raise Interrupted(f"stopped while {role} got its addresses", "run the command again")
        if time.monotonic() > deadline:
            raise TransportError(
                f"{role}: {len(machines)} of {count} machines have an address to reach",
                "see `labctl status` and `labctl doctor`",
            )
        stage.cancelled.wait(LOOK_AGAIN_S)
    return machines


def _ready(stage: Stage, machine: Machine, began: float) -> Machine:
    stage.transport.wait_ready(machine, deadline_s=READY_WITHIN_S, cancelled=stage.cancelled)
    if machine.role not in given_roles(stage) and len(_pins(stage).get(machine.id, ())) != 1:
        machine = _with_own_host_key(stage, machine)
    stage.bus.emit(
        MachineReady(
            machine=machine.name,
            id=machine.id,
            address=machine.address,
            port=machine.port,
            seconds=time.monotonic() - began,
        )
    )
    return machine


def _with_own_host_key(stage: Stage, machine: Machine) -> Machine:
    """Give a machine a host key made on it, pinned beside the old one before the switch."""
    old = machine.host_keys

    def pin_both(public: str) -> None:
        _pin(stage, machine, (public, *old))

    public = rotate_host_key(stage.transport, machine, before_switch=pin_both)
    stage.transport.forget(machine)
    _pin(stage, machine, (public,))
    return dataclasses.replace(machine, host_keys=(public,))


def make_all_ready(stage: Stage) -> dict[str, list[Machine]]:
    """Wait until every machine of every role runs commands; return them by role.

    An endpoint other than AWS and the local cloud only pretends to have machines: a role that
    no agent needs is left alone there, with a warning.
    """
    ready: dict[str, list[Machine]] = {}
    for role in roles(stage):
        if is_pretence(stage, role):
            if role in {agent.on for agent in stage.lab.agents.values()}:
                raise TargetError(
                    f"{role}: the machines of {stage.target.name} cannot be reached by SSH",
                    "run the lab on --target local or aws, or give machines under `hosts:`",
                )
            stage.bus.emit(Warned(message=f"{role}: this endpoint has no machines to log in to"))
            continue
        ready[role] = make_ready(stage, role)
    return ready


def is_pretence(stage: Stage, role: str) -> bool:
    """Whether the endpoint only pretends to have the machines of a role."""
    on_endpoint = stage.target.name not in ("local", "aws")
    return on_endpoint and role not in given_roles(stage) and not machines_of(stage, role)


def ssh_config_text(stage: Stage) -> str:
    """Return an OpenSSH configuration for the lab's machines, with its own known_hosts file."""
    known_hosts = stage.folder.keys / "known_hosts"
    lines, pins = [], []
    for role in roles(stage):
        for machine in machines_of(refreshed(stage, role), role):
            lines += _host_block(machine, known_hosts)
            place = machine.address if machine.port == 22 else f"[{machine.address}]:{machine.port}"
            pins += [f"{place} {key}" for key in machine.host_keys]
    write_private(known_hosts, "".join(f"{pin}\n" for pin in pins))
    return "".join(f"{line}\n" for line in lines)


def _host_block(machine: Machine, known_hosts: Path) -> list[str]:
    alone = [f" {machine.role}"] if machine.index == 0 else []
    block = [
        f"Host {machine.name}{''.join(alone)}",
        f"  HostName {machine.address}",
        f"  Port {machine.port}",
        f"  User {machine.user}",
    ]
    if machine.key_file:
        block += [f'  IdentityFile "{machine.key_file}"', "  IdentitiesOnly yes"]
    if machine.host_keys:
        block += [f'  UserKnownHostsFile "{known_hosts}"', "  StrictHostKeyChecking yes"]
    return block
