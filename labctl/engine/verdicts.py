"""Runs a lab's checks on what stands, all at once, each until it holds or its time is over."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from labctl.checks.base import CheckContext, Verdict, within
from labctl.checks.registry import check
from labctl.engine.machines import machines_of
from labctl.engine.stage import Stage
from labctl.errors import LabctlError
from labctl.events import CheckFailed, CheckPassed
from labctl.ledger.faults import faults_on
from labctl.ledger.results import ResultsStore
from labctl.spec.lab import LabCheck
from labctl.transport.base import Completed
from labctl.transport.parallel import each


def run_checks(stage: Stage) -> bool:
    """Return whether every check of the lab holds, and tell the bus of each in the file's order."""
    if not stage.lab.checks:
        return True
    with ResultsStore(stage.folder.results_file) as results:
        context = CheckContext(stage.target, dict(stage.actuals), results, partial(_on_role, stage))

        def verdict_on(item: LabCheck) -> Verdict:
            return within(
                check(item.form),
                context,
                stage.resolved(item.that),
                deadline_s=item.within,
                cancelled=stage.cancelled,
            )

        with ThreadPoolExecutor(len(stage.lab.checks), thread_name_prefix="check") as pool:
            verdicts = list(pool.map(verdict_on, stage.lab.checks))
    on = [f"{entry.what} on {entry.machine}" for entry in faults_on(stage.folder).values()]
    meanwhile = f" (faults that are on: {', '.join(on)})" if on else ""
    for item, verdict in zip(stage.lab.checks, verdicts, strict=True):
        stage.bus.emit(
            CheckPassed(check=item.id, say=item.say)
            if verdict.ok
            else CheckFailed(check=item.id, say=item.say, why=f"{verdict.say}{meanwhile}")
        )
    return all(verdict.ok for verdict in verdicts)


def _on_role(
    stage: Stage, selector: str, script: str, stdin: bytes
) -> Mapping[str, Completed | LabctlError]:
    role, _, index = selector.partition(".")
    if role in stage.lab.left_out:
        return {}
    return each(
        [machine for machine in machines_of(stage, role) if index in ("", str(machine.index))],
        lambda machine: stage.transport.run(machine, script, stdin=stdin),
    )
