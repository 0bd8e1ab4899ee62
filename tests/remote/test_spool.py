"""What must outlive a killed worker: the lines of the log, and which jobs were being worked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from job_runtime.crash_journal import CrashJournal
from job_runtime.spool import Spool, claim_folder
from tests.remote.aws import ROOT

DIES_AT_WORK = """
import os, signal, sys
from pathlib import Path
from job_runtime.crash_journal import CrashJournal
journal = CrashJournal(Path(sys.argv[1]))
for message in sys.argv[2:]:
    journal.begin(message.lstrip("-"))
for message in sys.argv[2:]:
    if message.startswith("-"):
        journal.end(message.lstrip("-"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def die_at_work(path: Path, *messages: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIES_AT_WORK, str(path), *messages],
        env={**os.environ, "PYTHONPATH": str(ROOT / "remote")},
    )
    assert done.returncode == -signal.SIGKILL


def test_a_death_counts_for_what_was_being_worked(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    die_at_work(path, "poison", "-finished", "bystander")
    die_at_work(path, "poison")
    journal = CrashJournal(path)
    assert journal.deaths("poison") == 2
    assert journal.deaths("bystander") == 1
    assert journal.deaths("finished") == 0
    journal.begin("bystander")
    journal.end("bystander")
    assert journal.deaths("bystander") == 0


def test_an_end_in_order_blames_nobody(tmp_path: Path) -> None:
    journal = CrashJournal(tmp_path / "journal")
    journal.begin("long")
    journal.forget_running()
    assert CrashJournal(tmp_path / "journal").deaths("long") == 0


@given(st.binary(max_size=300))
def test_a_damaged_journal_is_no_obstacle(damage: bytes) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        path.write_bytes(damage)
        assert CrashJournal(path).deaths("any") == 0


def test_the_journal_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = CrashJournal(path)
    for number in range(20_000):
        journal.begin(f"{number:036}")
        journal.end(f"{number:036}")
    assert path.stat().st_size < 1.1 * 2**20


def test_two_workers_never_share_a_folder_and_a_dead_one_leaves_its_own(tmp_path: Path) -> None:
    first, first_lock = claim_folder(tmp_path)
    second, second_lock = claim_folder(tmp_path)
    assert first != second
    os.close(first_lock)
    assert claim_folder(tmp_path)[0] == first
    os.close(second_lock)


def test_batches_never_change_once_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.batches() == []
    spool.append(["one", "two"])
    (first,) = spool.batches()
    spool.append(["three"])
    again, second = spool.batches()
    assert again == first
    assert (first.read_text(), second.read_text()) == ("one\ntwo\n", "three\n")
    assert len(Spool(tmp_path).batches()) == 2
