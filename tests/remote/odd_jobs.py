"""A test's own agent: its jobs are slow, deadly or broken, as their bodies say.

Each start of a job is noted in the file `started` of the working folder. A list of numbers takes
PAUSE_S seconds; where a file `gate` holds a number, jobs beyond that one wait until it is higher
or gone.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from pathlib import Path

from job_runtime import Job, Outcome, done, run_worker
from numbers_worker.four_figures import work as numbers


def work(job: Job) -> Outcome:
    """Do what the first word of the body says; anything else is a list of numbers, slowly."""
    started = os.open("started", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(started, f"{job.id} {job.attempt}\n".encode())
    os.close(started)
    command, _, argument = job.body.partition(" ")
    if command == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if command == "raise":
        raise ValueError(argument)
    if command == "exit":
        sys.exit(argument)
    if command == "long":
        threading.Event().wait(float(argument))
        return done("at last")
    if command == "size":
        return done("x" * int(argument))
    if command == "say":
        return done(argument.encode().decode("unicode_escape"))
    threading.Event().wait(float(os.environ.get("PAUSE_S", "0.01")))
    number = len(starts(Path()))
    while number > _gate():
        threading.Event().wait(0.02)
    return numbers(job)


def _gate() -> float:
    try:
        return float((Path() / "gate").read_text() or 0)
    except FileNotFoundError:
        return math.inf


def starts(home: Path) -> list[str]:
    """Return the job id of every start, in order."""
    file = home / "started"
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


if __name__ == "__main__":
    sys.exit(run_worker(work))
