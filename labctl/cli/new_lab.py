"""Makes a student's own lab folder out of a lab that works."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import yaml

from labctl.engine.programs import program_folders
from labctl.errors import UsageError
from labctl.paths import shipped

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def make_lab(name: str, source: Path) -> list[Path]:
    """Write a folder `name` with the lab of `source`, its agents and a test; return the files.

    Raises `UsageError` when the name is no lab name or the folder is there already.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name}' is no name for a lab", "lower-case letters, digits, dashes")
    folder = Path.cwd() / name
    if folder.exists():
        raise UsageError(f"{folder} exists already", "choose another name, or remove it")
    folder.mkdir()
    text = source.read_text(encoding="utf-8")
    schema_line = re.compile(r"^# yaml-language-server:.*\n", re.MULTILINE)
    text = re.sub(r"^name:.*$", f"name: {name}", schema_line.sub("", text), count=1, flags=re.M)
    (folder / "lab.yaml").write_text(text, encoding="utf-8")
    readme = source.with_name("README.md")
    if readme.exists():
        shutil.copy(readme, folder / "README.md")
    known = program_folders(source.parent)
    for program in _programs(text):
        shutil.copytree(known[program], folder / "remote" / program, ignore=_LEFT_OUT)
    shutil.copy(shipped("templates", "test_lab.py"), folder / "test_lab.py")
    return sorted(file.relative_to(Path.cwd()) for file in folder.rglob("*") if file.is_file())


def _programs(text: str) -> list[str]:
    """Return the programs that the agents of a (valid) lab file run."""
    # BaseLoader keeps `on` a text, as labctl's own loader does.
    agents = yaml.load(text, Loader=yaml.BaseLoader).get("agents") or {}
    return sorted({agent["program"] for agent in agents.values()})
