"""Shows what commands and logs of several machines said, each line with its machine."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping

from labctl.errors import LabctlError
from labctl.text import harmless
from labctl.transport.base import Completed


def print_completed(ended: Mapping[str, Completed | LabctlError], *, as_json: bool) -> list[str]:
    """Show how a command ended on each machine; return the machines where it failed."""
    for machine, end in ended.items():
        if as_json:
            print_line(json.dumps({"machine": machine, **_record(end)}))
            continue
        for line in _lines(end):
            print_line(f"{machine}: {line}")
    return [
        machine for machine, end in ended.items() if isinstance(end, LabctlError) or end.status != 0
    ]


def print_line(line: str) -> None:
    """Write one line to standard output."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _record(end: Completed | LabctlError) -> dict[str, object]:
    if isinstance(end, LabctlError):
        return {"error": end.message}
    return {
        "status": end.status,
        "stdout": end.stdout.decode(errors="replace"),
        "stderr": end.stderr.decode(errors="replace"),
    }


def _lines(end: Completed | LabctlError) -> list[str]:
    if isinstance(end, LabctlError):
        return [f"error: {end.message}"]
    said = (end.stdout + end.stderr).decode(errors="replace")
    lines = [harmless(line) for line in said.splitlines()]
    return lines if end.status == 0 else [*lines, f"exit status {end.status}"]


def log_printer(as_json: bool) -> Callable[[str, str, str], None]:
    """Return what shows a line of an agent's log; safe for several threads."""
    lock = threading.Lock()

    def show(machine: str, agent: str, line: str) -> None:
        if as_json:
            text = json.dumps({"machine": machine, "agent": agent, "line": line})
        else:
            text = f"{machine} {agent}: {harmless(line)}"
        with lock:
            print_line(text)

    return show
