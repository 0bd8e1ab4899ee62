"""The record of faults survives a kill at any byte, and tells one machine from its successor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labctl.errors import SessionBusy
from labctl.ledger.faults import FaultEntry, faults_held, faults_on
from labctl.ledger.sessions import SessionFolder
from labctl.paths import private_folder

STOP = FaultEntry(
    fault="stop",
    machine="worker.0",
    machine_id="i-1",
    what="stop",
    touches="processes",
    options={"ms": 100},
    services=("labctl-numbers",),
    since=1.5,
    until=0.0,
)
PAUSE = replace(STOP, fault="pause", machine_id="i-2", what="pause")


def folder_of(path: Path) -> SessionFolder:
    return SessionFolder(private_folder(path / "session"))


def test_what_is_read_back_is_what_was_recorded(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    assert faults_on(folder) == {}
    with faults_held(folder) as file:
        file.begins(STOP)
        file.begins(PAUSE)
        done = file.done(PAUSE, until=9.5)
        assert file.on == faults_on(folder) == {"stop i-1": STOP, "pause i-2": done}
        file.ended(STOP)
    assert faults_on(folder) == {"pause i-2": replace(PAUSE, done=True, until=9.5)}


def test_a_kill_at_any_byte_leaves_what_was_on_disk(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    with faults_held(folder) as file:
        file.begins(STOP)
        file.done(STOP, until=1.0)
        file.ended(STOP)
        file.begins(PAUSE)
    whole = folder.faults_file.read_bytes()
    seen = []
    for size in range(len(whole)):
        folder.faults_file.write_bytes(whole[:size])
        with faults_held(folder) as file:
            seen.append((sorted(file.on), *(entry.done for entry in file.on.values())))
    steps = [step for step, before in zip(seen, [None, *seen], strict=False) if step != before]
    assert steps == [([],), (["stop i-1"], False), (["stop i-1"], True), ([],)]


def test_one_at_a_time(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    with faults_held(folder), pytest.raises(SessionBusy), faults_held(folder, patience_s=0.2):
        pass
