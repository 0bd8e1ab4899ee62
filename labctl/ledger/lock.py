"""Two locks of a session, which the system frees when their holder dies.

The session's lock is held for a whole command that brings up, runs or takes down; the ledger's
while the journal is written. A run gives the ledger back when its machines stand, so that the
session can be scaled while its jobs run.
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
def _held(file: Path) -> Iterator[None]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SessionBusy(
                f"another labctl is at work on session '{file.parent.name}': {_holder(descriptor)}",
                "wait for it to end, or stop it; the lock is free as soon as it is gone",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(_me()).encode(), 0)
        yield
    finally:
        os.close(descriptor)  # closing the last descriptor frees the lock


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
