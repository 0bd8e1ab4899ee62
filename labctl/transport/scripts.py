"""The shell scripts that labctl ships for machines: filled in here, their failures told here."""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Mapping
from typing import Any

from labctl.errors import TransportError
from labctl.paths import shipped
from labctl.text import one_line
from labctl.transport.base import Completed, Machine

REFUSED = 70  # a script's own refusal: the last two lines on stderr are message and hint


def script(name: str, /, **values: str) -> str:
    """Return a shipped script with these shell variables set before it begins."""
    if any("\0" in value for value in values.values()):
        raise TransportError("a path or text for a machine cannot contain a NUL")
    settings = "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items())
    return f"{settings}{script_text('machine.sh')}{script_text(name)}"


@functools.cache
def script_text(name: str) -> str:
    """Return a shipped script as it lies in the templates."""
    return shipped("templates", name).read_text(encoding="utf-8")


def output_of(machine: Machine, completed: Completed, *, doing: str) -> bytes:
    """Return what a script wrote on stdout; `TransportError` with its own words if it failed."""
    if completed.status == 0:
        return completed.stdout
    said = [line for line in completed.stderr.decode(errors="replace").splitlines() if line.strip()]
    if completed.status == REFUSED and len(said) >= 2:
        message, hint = (one_line(line, limit=500) for line in said[-2:])
        raise TransportError(f"{machine.name}: {message}", hint)
    last = one_line(" / ".join(said[-3:]), limit=500) or "it said nothing"
    raise TransportError(
        f"{machine.name}: {doing} failed with status {completed.status}: {last}",
        f"look at the machine: labctl ssh LAB {machine.name}",
    )


def report_of(machine: Machine, completed: Completed, *, doing: str) -> Mapping[str, Any]:
    """Return the JSON object on a script's last line; what a login prints before is passed over."""
    lines = output_of(machine, completed, doing=doing).splitlines()
    try:
        report = json.loads(lines[-1])
    except (IndexError, ValueError):
        report = None
    if not isinstance(report, dict):
        raise TransportError(
            f"{machine.name}: {doing} ended without a report",
            f"look at the machine: labctl ssh LAB {machine.name}",
        )
    return report
