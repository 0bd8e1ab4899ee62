"""Keeps an agent running on a machine as a service: install, look, stop, remove, its log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from labctl.transport.base import Machine, Transport
from labctl.transport.scripts import output_of, report_of, script
from labctl.transport.units import Login, Service, check_service, unit_text


@dataclass(frozen=True)
class ServiceState:
    """How a service stands: systemd's word for it (`active`, `failed`, ...), restarts, pid."""

    state: str
    restarts: int
    pid: int  # 0 when it does not run


@dataclass(frozen=True)
class ServiceSample:
    """How a service does: `cpu_s` are seconds of processor time since it began, 0 when down."""

    name: str
    state: str
    pid: int
    cpu_s: float
    memory_bytes: int
    log: str  # its end; a stranger's text


def install(
    transport: Transport, machine: Machine, service: Service, *, timeout_s: float = 600.0
) -> bool:
    """Push a service's bundle, install it and start it; True when anything had to change.

    It is restarted only when its program, its unit or its packages changed, or when it was down.
    """
    check_service(service)
    login = login_on(transport, machine)
    transport.push(machine, service.bundle, timeout_s=timeout_s)
    done = transport.run(
        machine,
        script(
            "install-service.sh",
            name=service.name,
            unit=unit_text(service, login),
            requirements="\n".join(service.requirements),
            packages="".join(
                f"{each.name} {each.program} {each.service}\n" for each in service.packages
            ),
        ),
        timeout_s=timeout_s,
    )
    report = report_of(machine, done, doing=f"installing {service.name}")
    return bool(report["changed"])


def login_on(transport: Transport, machine: Machine) -> Login:
    """Ask a machine for what a unit needs to know: home folder, user, root of a local instance."""
    done = transport.run(
        machine, r"""printf '\0%s\0%s\0%s\0' "$HOME" "$(id -un)" "${LABCTL_ROOT:-}" """
    )
    said = output_of(machine, done, doing="asking for the home folder")
    *_, home, user, root, _ = said.decode(errors="replace").split("\0")
    return Login(home=home, user=user, root=root)


def service_state(transport: Transport, machine: Machine, name: str) -> ServiceState:
    """Return how a service stands now; one that does not exist is `inactive`."""
    done = transport.run(machine, script("service-state.sh", name=name))
    report = report_of(machine, done, doing=f"asking for the state of {name}")
    return ServiceState(str(report["state"]), int(report["restarts"]), int(report["pid"]))


def sample_services(
    transport: Transport, machine: Machine, names: Sequence[str], *, lines: int, timeout_s: float
) -> list[ServiceSample]:
    """Return how services do now, with the last lines of their logs; one call for all."""
    asking = script("sample-services.sh", services=" ".join(names), lines=str(lines))
    done = transport.run(machine, asking, timeout_s=timeout_s)
    said = output_of(machine, done, doing="looking at its services").decode(errors="replace")
    _, *fields = said.split("\0")  # what a login prints stands before the first
    return [_sample(fields[at : at + 7]) for at in range(0, len(fields) - 6, 7)]


def _sample(fields: Sequence[str]) -> ServiceSample:
    name, state, pid, ticks, hz, memory_kib, log = fields
    cpu_s = int(ticks) / max(1, int(hz))
    return ServiceSample(name, state, int(pid), cpu_s, int(memory_kib) * 1024, log)


def stop_service(
    transport: Transport, machine: Machine, name: str, *, timeout_s: float = 120.0
) -> None:
    """Stop a service and wait for its end; it starts again with the next install or boot."""
    done = transport.run(machine, script("stop-service.sh", name=name), timeout_s=timeout_s)
    output_of(machine, done, doing=f"stopping {name}")


def start_services(
    transport: Transport, machine: Machine, names: Sequence[str], *, timeout_s: float = 120.0
) -> None:
    """Start services; those that run go on."""
    starting = script("start-services.sh", services=" ".join(names))
    done = transport.run(machine, starting, timeout_s=timeout_s)
    output_of(machine, done, doing=f"starting {', '.join(names)}")


def signal_services(
    transport: Transport,
    machine: Machine,
    names: Sequence[str],
    signal: Literal["KILL", "STOP", "CONT"],
    *,
    then_stop: bool = False,
) -> None:
    """Send a signal to every process of services; with `then_stop` they stay down afterwards."""
    sending = script(
        "signal-services.sh",
        services=" ".join(names),
        signal=signal,
        stop="yes" if then_stop else "",
    )
    done = transport.run(machine, sending, timeout_s=120.0)
    output_of(machine, done, doing=f"sending {signal} to {', '.join(names)}")


def remove_service(
    transport: Transport, machine: Machine, name: str, *, bundle: str, timeout_s: float = 120.0
) -> None:
    """Remove a service with its unit, files and log; already gone is fine.

    With the last service of a machine go the pushed credentials and labctl's own folder.
    """
    removing = script("remove-service.sh", name=name, bundle=bundle)
    done = transport.run(machine, removing, timeout_s=timeout_s)
    output_of(machine, done, doing=f"removing {name}")


def log_script(name: str, *, follow: bool, lines: int = 100) -> str:
    """Return the script that shows the end of a service's log, and with `follow` what comes."""
    return script("show-log.sh", name=name, follow="yes" if follow else "", lines=str(lines))
