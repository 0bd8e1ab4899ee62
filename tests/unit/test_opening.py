"""A session is found by its lab, its name or its file, and its name is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.engine.choices import Choices
from labctl.errors import UsageError
from labctl.ledger.sessions import session_folder
from labctl.paths import shipped
from labctl.session import Session


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LABCTL_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def copy_of_numbers(folder: Path) -> Path:
    folder.mkdir()
    text = shipped("labs", "numbers", "lab.yaml").read_text(encoding="utf-8")
    (folder / "lab.yaml").write_text(text, encoding="utf-8")
    return folder


def test_another_lab_cannot_take_the_name_of_a_session(state: Path, tmp_path: Path) -> None:
    first = Session("numbers", Choices()).record
    session_folder(state, first.name).write(first)
    copy = copy_of_numbers(tmp_path / "copy")
    with pytest.raises(UsageError, match="another lab file"):
        _ = Session(str(copy), Choices()).record
    assert Session(str(copy), Choices(name="mine")).record.name == "mine"
    assert Session("numbers", Choices()).record == first
