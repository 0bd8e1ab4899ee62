"""A session's secrets: made once, private, hidden in what is said, gone with the session."""

from __future__ import annotations

import stat
from pathlib import Path

from labctl.engine.secrets import keep_secrets_of, made_secrets
from labctl.ledger.sessions import SessionFolder
from labctl.text import masked


def test_secrets_are_made_once_and_go_with_the_session(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / "lab")
    first = made_secrets(folder, ["reader"])
    both = made_secrets(folder, ["reader", "writer"])
    assert both["reader"] == first["reader"]
    assert len(set(both.values())) == 2
    assert min(map(len, both.values())) >= 32
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.secrets.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.secrets.stat().st_mode) == 0o700
    folder.remove_resources()
    assert not folder.secrets.exists()


def test_what_another_process_made_is_hidden_too(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / "lab")
    keep_secrets_of(folder)
    folder.secrets.mkdir(parents=True)
    (folder.secrets / "reader").write_text("made-elsewhere-0123456789abcdef")
    keep_secrets_of(folder)
    assert "elsewhere" not in masked("Access denied: 'made-elsewhere-0123456789abcdef'")


def test_a_session_without_secrets_has_no_folder_of_them(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / "lab")
    assert made_secrets(folder, []) == {}
    assert not folder.path.exists()
