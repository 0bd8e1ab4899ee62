"""Shows the credentials of a target to a reader: never the keys, only what is known of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from labctl.ledger.sessions import SessionRecord
from labctl.targets.base import KeysReport
from labctl.telling import seconds


def keys_record(report: KeysReport, users: Sequence[SessionRecord]) -> dict[str, Any]:
    """Return a report as plain data for JSON; `left_s` is None where no end is known."""
    left_s = None if report.ends_at is None else round(report.ends_at - time.time(), 1)
    return {
        **vars(report),
        "traps": list(report.traps),
        "left_s": left_s,
        "ok": not report.why,
        "sessions": [record.name for record in users],
    }


def keys_lines(report: KeysReport, users: Sequence[SessionRecord]) -> list[str]:
    """Return a report, a line a fact."""
    lines = [f"source:   {report.source}", f"key:      {report.key}"]
    if report.why:
        verdict = "NOT KNOWN" if report.unasked else "NOT ACCEPTED"
        lines += [f"state:    {verdict}: {report.why}", f"remedy:   {report.remedy}"]
    else:
        lines += [
            f"state:    accepted by account {report.account}",
            f"identity: {report.identity}",
        ]
    if not report.why or report.unasked:
        lines.append(f"end:      {end_text(report)}")
    lines += [f"note:     {trap}" for trap in report.traps]
    names = ", ".join(record.name for record in users) or "no session"
    return [*lines, f"used by:  {names}"]


def end_text(report: KeysReport) -> str:
    """Return when the keys end: `in 42 min`, `in about 3 h 10 min`, `never`, `not known`."""
    if report.ends_at is not None:
        left_s = report.ends_at - time.time()
        about = "about " if report.about else ""
        return f"in {about}{seconds(left_s)}" if left_s > 0 else f"{about}over".strip()
    return "not known" if report.temporary else "never, by themselves"
