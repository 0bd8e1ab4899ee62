"""Runs a lab's checks on what stands, all at once, each until it holds or its time is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from labctl.checks.base import CheckContext, Verdict, within
from labctl.checks.registry import check
from labctl.engine.machines import run_on_role
from labctl.engine.requirements import unmet
from labctl.engine.stage import Stage
from labctl.events import CheckFailed, CheckPassed, CheckSkipped
from labctl.ledger.faults import faults_on
from labctl.ledger.results import ResultsStore
from labctl.spec.lab import LabCheck


def run_checks(stage: Stage) -> bool:
    """Return whether every check of the lab holds, and tell the bus of each in the file's order.

    What this target makes meaningless is skipped.
    """
    if not stage.lab.checks:
        return True
    with ResultsStore(stage.folder.results_file) as results:
        context = CheckContext(
            stage.target, dict(stage.actuals), results, partial(run_on_role, stage)
        )

        def verdict_on(item: LabCheck) -> Verdict | str:
            if reasons := unmet(stage, item.requires):
                return reasons[0]
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
        if isinstance(verdict, str):
            stage.bus.emit(CheckSkipped(check=item.id, say=item.say, why=verdict))
        elif verdict.ok:
            stage.bus.emit(CheckPassed(check=item.id, say=item.say))
        else:
            why = f"{verdict.say}{meanwhile}"
            stage.bus.emit(CheckFailed(check=item.id, say=item.say, why=why))
    return all(isinstance(verdict, str) or verdict.ok for verdict in verdicts)
