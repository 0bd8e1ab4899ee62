"""Finds the parameter that a role's number of machines comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labctl.spec.references import Reference, read_text
from labctl.spec.yaml_text import load_file


def count_parameter(lab_file: Path, role: str) -> str | None:
    """Return the parameter that alone is the role's `count` in a valid file; None: it is fixed."""
    data: Any = load_file(lab_file).data
    count = data["resources"][role].get("count")
    pieces = read_text(count) if isinstance(count, str) else []
    match pieces:
        case [Reference(scope="params", attribute=name)]:
            return name
    return None
