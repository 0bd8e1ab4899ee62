"""Waits until a service is ready, and tells at once, with its last words, when it will not be."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl.errors import Interrupted, LabctlError, TransportError
from labctl.text import harmless
from labctl.transport.base import Machine, Transport
from labctl.transport.scripts import output_of, report_of, script
from labctl.transport.services import log_script

_SLICE_S = 2  # how long the machine itself waits before it reports; a cancel is seen after that
_CRASHES = 3  # so many restarts without becoming ready are a failure
_LAST_WORDS = 12  # lines


@dataclass(frozen=True)
class LogSays:
    """Ready once the log contains this text, counted from the last start by labctl."""

    text: str


@dataclass(frozen=True)
class PortOpen:
    """Ready once the machine itself can connect to this TCP port of its own."""

    port: int


def wait_service_ready(
    transport: Transport,
    machine: Machine,
    name: str,
    ready: LogSays | PortOpen,
    *,
    deadline_s: float,
    cancelled: threading.Event,
) -> None:
    """Return once a service is ready.

    Raises `TransportError` with the end of its log when it failed, ended, crashed three times or
    is not ready in time; `Interrupted` when cancelled.
    """
    until = time.monotonic() + deadline_s
    # The log begins with the last start by labctl, as systemd's count of restarts does; a port
    # may be closed for a moment after restarts that have nothing to do with it.
    before = 0 if isinstance(ready, LogSays) else None
    while True:
        if cancelled.is_set():
            raise Interrupted(f"stopped while waiting for {name}", "run the command again")
        left_s = until - time.monotonic()
        report = _ask(transport, machine, name, ready=ready, left_s=left_s)
        if report["ready"] and report["state"] == "active":
            return
        before = int(report["restarts"]) if before is None else before
        reason = _hopeless(report, crashes=int(report["restarts"]) - before)
        if not reason and left_s <= 0:
            reason = f"was not ready within {deadline_s:.3g} s"
        if reason:
            raise TransportError(
                f"{machine.name}: {name} {reason}{_last_words(transport, machine, name)}",
                f"labctl logs LAB {machine.name}",
            )


def _ask(
    transport: Transport,
    machine: Machine,
    name: str,
    *,
    ready: LogSays | PortOpen,
    left_s: float,
) -> Mapping[str, Any]:
    asking = script(
        "ready-service.sh",
        name=name,
        text=ready.text if isinstance(ready, LogSays) else "",
        port=str(ready.port) if isinstance(ready, PortOpen) else "",
        host=_own_address(machine),
        wait_s=str(max(1, min(_SLICE_S, round(left_s)))),
    )
    done = transport.run(machine, asking, timeout_s=30.0)
    return report_of(machine, done, doing=f"asking whether {name} is ready")


def _hopeless(report: Mapping[str, Any], *, crashes: int) -> str:
    if report["state"] == "failed":
        return "failed"
    if report["state"] == "inactive":
        return "ended before it was ready"
    return "keeps crashing" if crashes >= _CRASHES and not report["ready"] else ""


def _own_address(machine: Machine) -> str:
    """Return where a machine's programs listen for it: local instances share 127.0.0.1."""
    try:
        address = ipaddress.ip_address(machine.address)
    except ValueError:
        return "127.0.0.1"
    return machine.address if address.is_loopback else "127.0.0.1"


def _last_words(transport: Transport, machine: Machine, name: str) -> str:
    try:
        shown = transport.run(machine, log_script(name, follow=False, lines=_LAST_WORDS))
        words = output_of(machine, shown, doing=f"reading the log of {name}")
    except LabctlError:
        return "; it has written no log"
    text = harmless(words.decode(errors="replace"), limit=2000).strip()
    return f"; the end of its log:\n{text}" if text else "; its log is empty"
