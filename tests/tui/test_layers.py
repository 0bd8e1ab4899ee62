"""An import of textual anywhere in the core turns the check of the layers red."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LINT_IMPORTS = str(Path(sys.executable).with_name("lint-imports"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what is checked."""
    shutil.copytree(
        REPOSITORY / "labctl", tmp_path / "labctl", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def checked(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"], cwd=tree, capture_output=True, text=True, timeout=120
    )


def test_the_tree_as_it_is_holds(tree: Path) -> None:
    done = checked(tree)
    assert done.returncode == 0, done.stdout
    assert "textual only in tui KEPT" in done.stdout


@pytest.mark.parametrize("module", ["engine/planted.py", "cli/planted.py", "planted.py"])
@pytest.mark.parametrize("package", ["textual", "textual_serve"])
def test_a_planted_import_breaks_it(tree: Path, module: str, package: str) -> None:
    (tree / "labctl" / module).write_text(f"import {package}\n")
    done = checked(tree)
    assert done.returncode == 1
    assert "textual only in tui BROKEN" in done.stdout
    assert f"imports {package}" in done.stdout or f"-> {package}" in done.stdout


def test_the_catalogue_is_shown_without_the_core() -> None:
    """What checks lab files, asks targets and draws instructions takes longer than all the rest."""
    program = (
        "import sys, labctl.cli.main, labctl.tui.app, labctl.tui.beginning, labctl.engine.choices;"
        "print([name for name in ('pydantic', 'sqlite3', 'boto3', 'paramiko', 'markdown_it',"
        " 'labctl.session', 'textual.widgets._data_table') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
