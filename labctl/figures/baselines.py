"""Results kept by name, to compare later ones with: one file each in the state folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from labctl.errors import UsageError
from labctl.figures.records import Result, read_results, write_results
from labctl.spec.discovery import unknown_name

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def checked_name(name: str) -> str:
    """Return a name that a baseline can have; raises `UsageError` for another."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name}' is no name for a baseline", "use letters, digits and dashes")
    return name


def save_baseline(state: Path, lab: str, name: str, results: Sequence[Result]) -> Path:
    """Keep results under a name, in place of those that had it."""
    path = _folder(state, lab) / f"{checked_name(name)}.jsonl"
    write_results(path, results)
    return path


def load_baseline(state: Path, lab: str, name: str) -> list[Result]:
    """Return the results that were kept; raises `UsageError` with the names that there are."""
    path = _folder(state, lab) / f"{checked_name(name)}.jsonl"
    if not path.exists():
        known = sorted(each.stem for each in _folder(state, lab).glob("*.jsonl"))
        if not known:
            raise UsageError(f"lab '{lab}' has no baselines", "--save-baseline NAME keeps one")
        raise unknown_name("baseline", name, known)
    return read_results(path)


def _folder(state: Path, lab: str) -> Path:
    return state / "baselines" / lab
