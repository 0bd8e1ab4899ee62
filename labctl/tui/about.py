"""What the catalogue tells of a lab before it is brought up; read in a thread, nothing is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.engine.choices import Choices
from labctl.engine.opening import make_target
from labctl.errors import LabctlError
from labctl.paths import state_folder
from labctl.session import Session
from labctl.spec.lab import INSTANCE, Lab
from labctl.telling import seconds
from labctl.text import harmless, one_line
from labctl.tui.standings import lab_price_per_hour_usd

_LONGEST_README = 100_000


@dataclass(frozen=True)
class About:
    """A lab's instructions, and its plan as lines; `problem` says why it cannot be read."""

    readme: str
    plan: tuple[str, ...] = ()
    problem: str = ""
    lab: Lab | None = None


def read_about(argument: str, file: Path, choices: Choices) -> About:
    """Read a lab's file and its instructions; a mistake in them is told, not raised."""
    readme = _readme(file)
    try:
        lab = Session(argument, choices).lab
    except LabctlError as error:
        return About(readme, problem=harmless(f"{error.message}\n{error.hint}"))
    return About(readme, plan=tuple(_plan_lines(lab)), lab=lab)


def refusals(argument: str, lab: Lab, choices: Choices) -> tuple[str, ...]:
    """Return why the target cannot give the lab; empty when it can. It may ask the network."""
    record = Session(argument, choices).record
    target = make_target(
        record.target,
        region=record.region,
        profile=record.profile,
        state=state_folder(),
    )
    found = [
        f"{name}: {reason}"
        for name, model in lab.resources.items()
        if (reason := target.refusal(model.kind, model.model_dump())) is not None
    ]
    if record.target == "hosts":
        found += [f"{n}: give it machines" for n, m in lab.resources.items() if m.kind == INSTANCE]
    return tuple(one_line(line) for line in found)


def _readme(file: Path) -> str:
    try:
        text = file.with_name("README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "This lab has no README.md."
    return harmless(text, limit=_LONGEST_README)


def _plan_lines(lab: Lab) -> list[str]:
    budget = lab.limits.budget_usd
    limit = f", budget {budget:.2f} USD" if budget is not None else ""
    lines = [
        f"{lab.name}: {one_line(lab.title)}",
        f"about {lab_price_per_hour_usd(lab):.4f} USD an hour on AWS, nothing elsewhere",
        f"time to live {seconds(lab.limits.ttl)}{limit}",
        "",
    ]
    rows = [
        [name, model.kind, ", ".join(sorted(lab.dependencies.get(name, ()))) or "-"]
        for name, model in lab.resources.items()
    ]
    lines += columns(["resource", "kind", "needs"], rows)
    lines += [f"agent {n}: {agent.program} on {agent.on}" for n, agent in lab.agents.items()]
    return lines + [f"check: {one_line(check.say)}" for check in lab.checks]


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines in which the columns stand under their heads."""
    table = [list(heads), *([one_line(cell, limit=60) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(heads))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
