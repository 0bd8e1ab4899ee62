"""Runs labctl in a child process that dies by SIGKILL at a chosen call to the target.

The call hook is the seam that a target gives for this. Children are forked from a process that
has imported everything, so that hundreds of deaths take a minute.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

# Imported here although only the children use them: a child is forked with them in memory.
import labctl.targets.local
import labctl.transport.ssh
from labctl.engine.choices import Choices
from labctl.session import Session

PRELOADED = (labctl.targets.local, labctl.transport.ssh)

LAB = str(Path(__file__).parent / "labs" / "every_kind" / "lab.yaml")
Command = Literal["up", "down"]
Moment = Literal["before", "after"]
_READS = ("Describe", "Get", "Head", "List")


@dataclass(frozen=True)
class Point:
    """Where a child dies: before or after the n-th call (from 1) of an operation.

    Calls are made in parallel: an operation's own count is steadier than the count of all calls.
    """

    operation: str
    nth: int
    moment: Moment

    @property
    def changes(self) -> bool:
        """Whether the call changes what stands at the target."""
        return not self.operation.startswith(_READS)


def points(operations: Sequence[str]) -> list[Point]:
    """Return where to die among the calls that a command makes.

    A call that only reads leaves the target and the ledger as they were: the moments before and
    after it are one.
    """
    seen: Counter[str] = Counter()
    found = []
    for operation in operations:
        seen[operation] += 1
        after = Point(operation, seen[operation], "after")
        found += [replace(after, moment="before"), after] if after.changes else [after]
    return found


def child(work: Callable[[], None]) -> int:
    """Run work in a forked child and return its exit status, negative for a signal."""
    process = os.fork()
    if process == 0:
        gc.freeze()  # else the first collection would copy the parent's whole memory
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def run(command: Command, *, die_at: Point | None = None) -> int:
    """Run `up` or `down` in a child; with `die_at`, it is killed there."""

    def work() -> None:
        calls: Counter[str] = Counter()
        lock = threading.Lock()

        def on_call(service: str, operation: str, when: Moment) -> None:
            if die_at is None or (operation, when) != (die_at.operation, die_at.moment):
                return
            with lock:
                calls[operation] += 1
                if calls[operation] == die_at.nth:
                    os.kill(os.getpid(), signal.SIGKILL)

        carry_out(command, on_call)

    return child(work)


def calls_of(command: Command) -> list[str]:
    """Run a command to its end in a child and return the calls that it made to the target."""
    read_end, write_end = os.pipe()

    def work() -> None:
        calls: list[str] = []

        def on_call(service: str, operation: str, when: Moment) -> None:
            if when == "before":
                calls.append(operation)

        carry_out(command, on_call)
        os.write(write_end, " ".join(calls).encode())

    assert child(work) == 0
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        return answer.read().split()


def carry_out(command: Command, on_call: Callable[[str, str, Moment], None]) -> None:
    """Run a command in this process."""
    session = Session(LAB, Choices(on_call=on_call))
    if command == "up":
        session.up()
    else:
        assert session.down().ok
