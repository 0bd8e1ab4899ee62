"""What labs and checks require of the machines, and why a target cannot give it."""

from __future__ import annotations

from collections.abc import Iterable

from labctl.engine.stage import Stage
from labctl.spec.lab import Requirement


def unmet(stage: Stage, requirements: Iterable[Requirement]) -> list[str]:
    """Return a line for each requirement that the session's machines do not meet."""
    if stage.record.target == "hosts":
        return []  # whoever gives the machines knows
    return [
        f"it requires {requirement}: {reason}"
        for requirement in requirements
        if (reason := stage.target.lacks(requirement)) is not None
    ]
