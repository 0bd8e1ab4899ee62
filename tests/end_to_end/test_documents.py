"""What the README shows is true: its lab file, its commands, its exit statuses."""

from __future__ import annotations

import re
from pathlib import Path

from labctl import errors
from labctl.cli.main import cli
from tests.end_to_end.conftest import Labctl

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_lab_file_in_the_readme_runs(labctl: Labctl) -> None:
    shown = [text for text in re.findall(r"```yaml\n(.*?)```", README, re.S) if "name:" in text]
    (labctl.folder / "small.yaml").write_text(shown[0])
    last = labctl.json("run", "./small.yaml", "--set", "jobs=10", "--down", "--yes")[-1]
    assert last["ok"]


def test_every_command_is_in_the_readme() -> None:
    table = README[README.index("## Commands") : README.index("### Exit status")]
    assert [name for name in cli.commands if f"`{name}" not in table.replace(", `", "`")] == []


def test_the_exit_statuses_in_the_readme_are_the_errors_own() -> None:
    table = README[README.index("### Exit status") : README.index("## A lab file")]
    shown = {int(number) for number in re.findall(r"^\| (\d+) \|", table, re.M)}
    own = {
        error.exit_status
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.LabctlError)
    }
    assert shown == own | {0}


def test_the_set_up_in_the_readme_is_what_ci_does() -> None:
    script = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    for part in ("-r requirements-dev.lock", "--no-deps -e .", ".venv/bin/pytest"):
        assert part in README
        assert part in script


def test_no_document_names_a_registry_host() -> None:
    for file in [*PROJECT.glob("*.md"), *PROJECT.glob("*.lock"), PROJECT / "pyproject.toml"]:
        assert "pypi.org" not in file.read_text(encoding="utf-8").lower(), file
