"""The programs that agents run: where they lie, and what is pushed with them."""

from __future__ import annotations

from pathlib import Path

from labctl.errors import UsageError
from labctl.paths import shipped
from labctl.spec.lab import Lab
from labctl.transport.base import Bundle
from labctl.transport.bundles import bundle, requirements_of
from labctl.transport.packages import SystemPackage, packages_of

SHARED = ("job_runtime", "http_runtime")  # what agents that take jobs, or that serve, build on


def program_folders(lab_folder: Path) -> dict[str, Path]:
    """Return the programs a lab may run, by name: its own `remote/` before the shipped ones."""
    found: dict[str, Path] = {}
    for root in (shipped("remote"), lab_folder / "remote"):
        for entry in sorted(root.glob("*/__main__.py")):
            found[entry.parent.name] = entry.parent
    return found


def shipped_program(lab_folder: Path, program: str) -> Path | None:
    """Return the folder of a program that labctl ships; None when it is the lab's own."""
    folder = program_folders(lab_folder).get(program)
    return folder if folder is not None and folder.parent == shipped("remote") else None


def program_bundle(lab_file: Path, program: str) -> tuple[Bundle, tuple[str, ...]]:
    """Return what to push for a program, and the Python packages that it requires."""
    folder = program_folders(lab_file.parent).get(program)
    if folder is None:
        raise UsageError(f"no program '{program}'", f"looked in remote/ beside {lab_file}")
    gathered = bundle(folder, shared=[shipped("remote", each) for each in SHARED])
    return gathered, requirements_of(gathered)


def packages_here(lab: Lab) -> tuple[SystemPackage, ...]:
    """Return the system's packages that the lab's agents need on the machines it makes."""
    programs = {agent.program for agent in lab.agents.values() if agent.on in lab.resources}
    found = {each for name in programs for each in packages_of(program_bundle(lab.path, name)[0])}
    return tuple(sorted(found))
