"""Runs labctl in a child process that dies by SIGKILL at a chosen call to the target.

The call hook is the seam that a target gives for this. Children are forked from a process that
has imported everything, so that hundreds of deaths take a minute.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Literal

# Imported here although only the children use them: a child is forked with them in memory.
import labctl.targets.local
import labctl.transport.ssh
from labctl.engine.opening import Choices
from labctl.session import Session

PRELOADED = (labctl.targets.local, labctl.transport.ssh)

LAB = str(Path(__file__).parent / "labs" / "every_kind" / "lab.yaml")
Command = Literal["up", "down"]
Moment = Literal["before", "after"]


def child(work: Callable[[], None]) -> int:
    """Run work in a forked child and return its exit status, negative for a signal."""
    process = os.fork()
    if process == 0:
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


def run(command: Command, *, die_at: int | None = None, moment: Moment = "before") -> int:
    """Run `up` or `down` in a child; with `die_at`, it is killed at that call (from 1)."""

    def work() -> None:
        calls = 0
        lock = threading.Lock()

        def on_call(service: str, operation: str, when: Moment) -> None:
            nonlocal calls
            with lock:
                calls += when == moment
                if calls == die_at and when == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        session = Session(LAB, Choices(on_call=on_call))
        if command == "up":
            session.up()
        else:
            assert session.down().ok

    return child(work)


def count_calls(command: Command) -> int:
    """Run a command to its end in a child and return how many calls it made to the target."""
    read_end, write_end = os.pipe()

    def work() -> None:
        calls = []
        session = Session(LAB, Choices(on_call=lambda service, operation, when: calls.append(when)))
        if command == "up":
            session.up()
        else:
            assert session.down().ok
        os.write(write_end, str(calls.count("before")).encode())

    assert child(work) == 0
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        return int(answer.read())
