"""One labctl at a time on a session, and never a lock that outlives its holder."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from labctl.errors import SessionBusy
from labctl.ledger.lock import is_at_work, ledger_lock, session_lock

HOLDER = """
import sys
import threading
from pathlib import Path
from labctl.ledger.lock import session_lock
with session_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_refused_by_name_until_the_first_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(SessionBusy, match=f"process {holder.pid} "), session_lock(tmp_path):
            pytest.fail("two holders at once")
        holder.kill()
        holder.wait()
        with session_lock(tmp_path):
            assert (tmp_path / "lock").exists()


def test_the_lock_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with session_lock(tmp_path):
            assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_the_ledger_is_locked_apart_from_the_session(tmp_path: Path) -> None:
    with (
        session_lock(tmp_path),
        ledger_lock(tmp_path),
        pytest.raises(SessionBusy),
        ledger_lock(tmp_path),
    ):
        pytest.fail("two writers at once")


def test_it_is_told_whether_anyone_is_at_work(tmp_path: Path) -> None:
    assert not is_at_work(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with session_lock(tmp_path):
        assert is_at_work(tmp_path)
    with ledger_lock(tmp_path):
        assert is_at_work(tmp_path)
    assert not is_at_work(tmp_path)


def test_one_who_only_looks_refuses_nobody(tmp_path: Path) -> None:
    with session_lock(tmp_path):
        pass
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            is_at_work(tmp_path)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(200):
            with session_lock(tmp_path):
                pass
    finally:
        ended.set()
        looking.join()
