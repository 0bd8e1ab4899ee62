"""Sessions are found again by their name, and their files are private."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.errors import UsageError
from labctl.ledger.sessions import (
    SessionRecord,
    known_sessions,
    new_session_id,
    session_folder,
)


def record(name: str) -> SessionRecord:
    return SessionRecord(
        name=name,
        id=new_session_id(),
        lab="numbers",
        lab_file="/labs/numbers/lab.yaml",
        target="local",
        region="us-east-1",
        profile="",
        account="000000000000",
        owner="ada@laptop",
        settings={"jobs": "3"},
        plain_names=False,
        created_at=1.0,
        expires_at=2.0,
    )


def test_a_session_is_read_back_as_written(tmp_path: Path) -> None:
    folder = session_folder(tmp_path, "numbers")
    assert folder.read() is None
    written = record("numbers")
    folder.write(written)
    assert folder.read() == written
    assert known_sessions(tmp_path) == [written]
    assert folder.record_file.stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    folder = session_folder(tmp_path, "numbers")
    folder.write(record("numbers"))
    folder.record_file.write_text('{"name": "numbers"')
    assert folder.read() is None
    assert known_sessions(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", ".hidden", "x" * 81, "a b", "a\n", "\x1b]0;x\x07", "é"]
)
def test_a_name_that_would_leave_the_folder_or_reach_a_terminal_is_refused(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError):
        session_folder(tmp_path, name)


def test_session_ids_fit_into_every_name() -> None:
    ids = {new_session_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(each) == 8 and each.isalnum() and each.islower() for each in ids)
