"""The locks of a session, which the system frees when their holder dies.

The session's lock is held for a whole command that brings up, runs or takes down; the ledger's
while the journal is written. A run gives the ledger back when its machines stand, so that the
session can be scaled while its jobs run. That of its faults is held while one begins or ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.errors import SessionBusy

_LOOKED_AT_S = 0.1  # much longer than a look takes


@contextmanager
def session_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a session's folder; raises `SessionBusy` naming the holder."""
    with _held(folder / "lock"):
        yield


@contextmanager
def ledger_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a session's journal; raises `SessionBusy` naming the holder."""
    with _held(folder / "ledger.lock"):
        yield


@contextmanager
def faults_lock(folder: Path, *, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the lock of a session's faults; raises `SessionBusy` when it is not free in time."""
    with _held(folder / "faults.lock", patience_s=patience_s):
        yield


def is_at_work(folder: Path) -> bool:
    """Whether anyone holds a lock of a session's folder now; makes no file."""
    return any(_is_held(folder / name) for name in ("lock", "ledger.lock"))


def _is_held(file: Path) -> bool:
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return False  # nobody ever held it
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _held(file: Path, *, patience_s: float = 0.0) -> Iterator[None]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _taken(descriptor, within_s=max(patience_s, _LOOKED_AT_S)):
            raise SessionBusy(
                f"another labctl is at work on session '{file.parent.name}': {_holder(descriptor)}",
                "wait for it to end, or stop it; the lock is free as soon as it is gone",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(_me()).encode(), 0)
        yield
    finally:
        os.close(descriptor)  # closing the last descriptor frees the lock


def _taken(descriptor: int, *, within_s: float) -> bool:
    """Take the lock, or return False; one who only looks whether it is held is waited for."""
    ends = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                return False
            time.sleep(_LOOKED_AT_S / 20)
        else:
            return True


def _me() -> dict[str, object]:
    command = " ".join(["labctl", *sys.argv[1:3]])  # never the rest: it may hold job bodies
    return {"pid": os.getpid(), "command": command, "since": time.time()}


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        seconds = max(0, round(time.time() - holder["since"]))
        return f"process {holder['pid']} ('{holder['command']}'), for {seconds} s"
    except (ValueError, KeyError, TypeError):
        return "a process that is just starting"
