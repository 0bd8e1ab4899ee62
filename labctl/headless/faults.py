"""Shows faults: what a command did, how long it lasts, and which are on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from labctl.engine.faults import Begun, OnWait
from labctl.headless.json_lines import JsonLines
from labctl.headless.plain import Plain
from labctl.ledger.faults import FaultEntry
from labctl.telling import clock, seconds

_LATE_S = 5.0  # to undo one takes a moment


def wait_line(printer: Plain | JsonLines, entries: Sequence[FaultEntry]) -> OnWait:
    """Return what shows at the foot how long faults last, and a run's jobs meanwhile."""

    def show(left_s: float, jobs: Mapping[str, int]) -> None:
        counts = "".join(f", {count} {state}" for state, count in jobs.items())
        meanwhile = f"; jobs meanwhile{counts[1:]}" if counts else ""
        printer.going_on(f"{_named(entries)}: {left_s:.0f} s left{meanwhile}")

    return show


def print_before(printer: Plain | JsonLines, begun: Begun) -> None:
    """Tell of the faults that were on already."""
    if isinstance(printer, JsonLines):
        for entry in begun.before:
            printer.line({"already": True, **asdict(entry)})
    elif begun.before:
        names = _named(begun.before)
        printer.say(f"{names} already, for {_age(begun.before[0])}: nothing was changed")


def print_faults(printer: Plain | JsonLines, entries: Sequence[FaultEntry]) -> None:
    """List the faults that are on."""
    if isinstance(printer, JsonLines):
        for entry in entries:
            printer.line(asdict(entry))
    elif not entries:
        printer.say("no fault is on")
    else:
        rows = [[each.machine, each.what, _age(each), _ends(each)] for each in entries]
        printer.table(["machine", "fault", "for", "ends"], rows)


def _named(entries: Sequence[FaultEntry]) -> str:
    return f"{entries[0].what} is on {', '.join(entry.machine for entry in entries)}"


def _age(entry: FaultEntry) -> str:
    return seconds(max(0.0, time.time() - entry.since))


def _ends(entry: FaultEntry) -> str:
    if not entry.done:
        return "half done: clear it"
    if not entry.until:
        return "when it is cleared"
    over = time.time() > entry.until + _LATE_S
    return f"overdue since {clock(entry.until)}: clear it" if over else clock(entry.until)
