"""Shows what is up: every session, or one session's resources, queues and machines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from labctl.engine.lifetime import is_over
from labctl.engine.machines import machines_of, roles
from labctl.engine.outputs import outputs
from labctl.engine.queues import depths
from labctl.engine.stage import Stage
from labctl.headless.json_lines import JsonLines
from labctl.headless.plain import Plain
from labctl.kinds.base import Actual
from labctl.ledger.faults import faults_on
from labctl.ledger.sessions import SessionRecord, known_sessions
from labctl.paths import state_folder
from labctl.session import Session
from labctl.telling import seconds


def print_sessions(printer: Plain | JsonLines) -> None:
    """Show every session that this machine knows."""
    records = known_sessions(state_folder())
    if isinstance(printer, JsonLines):
        for record in records:
            printer.line(_session_record(record))
        return
    if not records:
        printer.say("no lab is up", "next: labctl list   or: labctl run numbers")
        return
    printer.table(
        ["session", "lab", "target", "id", "up for", "time left"],
        [
            [each.name, each.lab, each.target, each.id, _age(each.created_at), _left(each)]
            for each in records
        ],
    )
    if any(is_over(each, now=time.time()) for each in records):
        printer.say("next: labctl sweep --expired   or: labctl up LAB, for a new life")
        return
    printer.say("next: labctl status LAB   or: labctl down LAB")


def print_session(printer: Plain | JsonLines, session: Session) -> None:
    """Show one session as it stands on the target now."""
    with session.standing() as stage:
        seen = session.seen()
        stage.actuals.clear()
        stage.actuals.update({name: actual for name, actual in seen.items() if actual})
        report = _report(stage, seen)
    if isinstance(printer, JsonLines):
        printer.line(report)
    else:
        _print_report(printer, session, report)


def _report(stage: Stage, seen: Mapping[str, Actual | None]) -> dict[str, Any]:
    held = depths(stage)
    return {
        **_session_record(stage.record),
        "resources": [_resource(stage, name, actual) for name, actual in seen.items()],
        "queues": {name: vars(depth) for name, depth in held.items()},
        "machines": [
            {
                "machine": machine.name,
                "id": machine.id,
                "address": machine.address,
                "port": machine.port,
                "user": machine.user,
            }
            for role in roles(stage)
            for machine in machines_of(stage, role)
        ],
        "faults": [asdict(entry) for entry in faults_on(stage.folder).values()],
        "outputs": outputs(stage) if stage.lab.resources.keys() <= stage.actuals.keys() else {},
    }


def _resource(stage: Stage, name: str, actual: Actual | None) -> dict[str, Any]:
    model = stage.lab.resources[name]
    return {
        "resource": name,
        "kind": model.kind,
        "name": actual.name if actual else "",
        "id": actual.id if actual else "",
        "state": "up" if actual else "missing",
        "members": len(actual.members) if actual else 0,
    }


def _session_record(record: SessionRecord) -> dict[str, Any]:
    return {
        "session": record.name,
        "lab": record.lab,
        "target": record.target,
        "id": record.id,
        "account": record.account,
        "region": record.region,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "expired": is_over(record, now=time.time()),
    }


def _print_report(printer: Plain, session: Session, report: dict[str, Any]) -> None:
    record = session.record
    printer.say(
        f"{record.name}: lab {record.lab} on {record.target}, up for {_age(record.created_at)}, "
        + _time_left(record),
        *_what_outlived(record, report),
        *(f"fault: {each['what']} is on {each['machine']}" for each in report["faults"]),
        "",
    )
    printer.table(
        ["resource", "kind", "state", "name"],
        [[row["resource"], row["kind"], _state(row), row["name"]] for row in report["resources"]],
    )
    if report["queues"]:
        printer.say("")
        printer.table(
            ["queue", "visible", "in flight", "delayed"],
            [
                [name, row["visible"], row["in_flight"], row["delayed"]]
                for name, row in report["queues"].items()
            ],
        )
    if report["machines"]:
        printer.say("")
        printer.table(
            ["machine", "address", "port", "user", "id"],
            [
                [row["machine"], row["address"], row["port"], row["user"], row["id"]]
                for row in report["machines"]
            ],
        )
    if report["outputs"]:
        printer.say("")
        printer.table(["output", "value"], report["outputs"].items())
    if is_over(record, now=time.time()):
        printer.say(f"next: labctl up {record.name}   or: labctl down {record.name}")
        return
    printer.say(f"next: labctl send {record.lab} --preset   or: labctl down {record.lab}")


def _state(row: dict[str, Any]) -> str:
    return f"{row['state']} ({row['members']})" if row["members"] else str(row["state"])


def _age(since: float) -> str:
    return seconds(max(0.0, time.time() - since))


def _left(record: SessionRecord) -> str:
    left = record.expires_at - time.time()
    return seconds(left) if left > 0 else f"over for {seconds(-left)}"


def _time_left(record: SessionRecord) -> str:
    left = record.expires_at - time.time()
    return f"{seconds(left)} left" if left > 0 else f"its time is over for {seconds(-left)}"


def _what_outlived(record: SessionRecord, report: dict[str, Any]) -> list[str]:
    """Return a line on what is still there of a session whose time is over."""
    if not is_over(record, now=time.time()):
        return []
    there = [row["resource"] for row in report["resources"] if row["state"] == "up"]
    if not there:
        return ["nothing of it is there any more"]
    return [f"still there: {', '.join(there)}; labctl up gives it a new life, down ends it"]
