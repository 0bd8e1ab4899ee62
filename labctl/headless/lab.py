"""What a lab is, for a reader: parameters, resources, agents, checks and its instructions."""

from __future__ import annotations

from typing import Any

from labctl.headless.tables import table_lines
from labctl.spec.lab import Lab
from labctl.spec.limits import AccountLimits
from labctl.text import harmless


def lab_record(lab: Lab, limits: AccountLimits | None = None) -> dict[str, Any]:
    """Return a lab as plain data for JSON."""
    return {
        "name": lab.name,
        "title": lab.title,
        "course": lab.course,
        "file": str(lab.path),
        "params": {name: param.model_dump(mode="json") for name, param in lab.params.items()},
        "resources": {name: model.model_dump(mode="json") for name, model in lab.resources.items()},
        "agents": {name: agent.model_dump(mode="json") for name, agent in lab.agents.items()},
        "checks": [{"id": check.id, "say": check.say} for check in lab.checks],
        "actions": {name: action.model_dump(mode="json") for name, action in lab.actions.items()},
        "benchmarks": {name: each.model_dump(mode="json") for name, each in lab.benchmarks.items()},
        "outputs": dict(lab.outputs),
        "limits": limits.model_dump(mode="json") if limits else None,
    }


def lab_lines(lab: Lab, limits: AccountLimits | None = None) -> list[str]:
    """Return what a reader wants to know of a lab, then its README."""
    lines = [f"{lab.name}: {lab.title}", f"course: {lab.course or '-'}", f"file: {lab.path}"]
    lines += [f"limits: {limits.in_one_line()}", ""] if limits else [""]
    if lab.params:
        rows = [
            [name, param.type, lab.settings[name], param.help] for name, param in lab.params.items()
        ]
        lines += [*table_lines(["parameter", "type", "value", "what it is"], rows), ""]
    rows = [
        [name, model.kind, ", ".join(sorted(lab.dependencies.get(name, ()))) or "-"]
        for name, model in lab.resources.items()
    ]
    lines += [*table_lines(["resource", "kind", "needs"], rows), ""]
    lines += [f"agent {name}: {agent.program} on {agent.on}" for name, agent in lab.agents.items()]
    lines += [f"check {check.id}: {check.say}" for check in lab.checks]
    lines += [f"labctl {lab.name} {name}: {each.say}" for name, each in lab.actions.items()]
    lines += [
        f"labctl bench {lab.name} {name}: {each.say}" for name, each in lab.benchmarks.items()
    ]
    readme = lab.path.with_name("README.md")
    if readme.exists():
        lines += ["", harmless(readme.read_text(encoding="utf-8"), limit=100_000)]
    return lines
