"""Finds and ends process trees: by parent, and by a mark in their environment.

Standard library only: the small processes inside instances import it too.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform.startswith("linux")


def become_subreaper() -> bool:
    """Adopt orphaned descendants from now on; False where the system has no such thing."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> bool:
    if not _LINUX:
        return False
    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def parents() -> dict[int, int]:
    """Return the parent's id of every living process; zombies are left out."""
    return _parents_by_proc() if _LINUX else _parents_by_ps()


def _parents_by_proc() -> dict[int, int]:
    found = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            stat = Path(entry.path, "stat").read_bytes()
        except OSError:
            continue  # gone meanwhile
        state, parent = stat[stat.rindex(b")") + 2 :].split()[:2]
        if state not in (b"Z", b"X"):
            found[int(entry.name)] = int(parent)
    return found


def _parents_by_ps() -> dict[int, int]:
    listing = subprocess.run(
        ["ps", "-axo", "pid=,ppid=,state="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in listing.splitlines()]
    return {int(row[0]): int(row[1]) for row in rows if not row[2].startswith("Z")}


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended but still waits for a reaper does not."""
    if not _LINUX:
        return pid in _parents_by_ps()
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat[stat.rindex(b")") + 2 :].split()[0] not in (b"Z", b"X")


def descendants(root: int, parent_of: dict[int, int] | None = None) -> list[int]:
    """Return the living processes below `root`, itself not included."""
    children: dict[int, list[int]] = {}
    for pid, parent in (parents() if parent_of is None else parent_of).items():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def environment_of(pid: int) -> bytes:
    """Return a process's environment as it was at its start; empty when it cannot be read."""
    try:
        if _LINUX:
            return Path(f"/proc/{pid}/environ").read_bytes()
        shown = subprocess.run(["ps", "eww", "-o", "command=", "-p", str(pid)], capture_output=True)
        return shown.stdout.replace(b" ", b"\0")
    except OSError:
        return b""


def marked(marks: Iterable[str]) -> list[int]:
    """Return the living processes with an environment entry that starts with one of `marks`."""
    starts = tuple(os.fsencode(mark) for mark in marks)
    me = os.getpid()
    return [
        pid
        for pid in parents()
        if pid != me and any(entry.startswith(starts) for entry in environment_of(pid).split(b"\0"))
    ]


def send_signal(pids: Iterable[int], number: int) -> None:
    """Signal every process of a list; those already gone do not matter."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def kill_orphans(own: set[int]) -> list[int]:
    """Kill this process's children that are not its `own`: adopted ones, and their trees.

    Returns what is left.
    """
    seen: set[int] = set()

    def find() -> list[int]:
        known = parents()
        direct = [pid for pid, above in known.items() if above == os.getpid() and pid not in own]
        found = direct + [below for pid in direct for below in descendants(pid, known)]
        seen.update(found)
        return found

    def reap() -> None:
        for pid in seen:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    return kill_all(find, grace_s=0, deadline_s=10, reap=reap)


def kill_all(
    find: Callable[[], list[int]],
    *,
    grace_s: float,
    deadline_s: float,
    reap: Callable[[], object] = lambda: None,
) -> list[int]:
    """End everything that `find` returns, asked first and then killed; return what is left.

    Processes are frozen before they are killed, so that one that forks without end
    cannot outrun the kill.
    """
    targets = find()
    ends = time.monotonic() + deadline_s
    if targets and grace_s > 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCONT):
            send_signal(targets, number)
        targets = _wait_gone(find, until=time.monotonic() + grace_s, reap=reap)
    while targets and time.monotonic() < ends:
        _freeze(find)
        send_signal(find(), signal.SIGKILL)
        targets = _wait_gone(find, until=min(ends, time.monotonic() + 0.2), reap=reap)
    return targets


def _freeze(find: Callable[[], list[int]]) -> None:
    frozen: set[int] = set()
    for _ in range(50):
        fresh = [pid for pid in find() if pid not in frozen]
        if not fresh:
            return
        send_signal(fresh, signal.SIGSTOP)
        frozen.update(fresh)


def _wait_gone(
    find: Callable[[], list[int]], *, until: float, reap: Callable[[], object]
) -> list[int]:
    pause = 0.001
    while True:
        reap()
        left = find()
        if not left or time.monotonic() >= until:
            return left
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
