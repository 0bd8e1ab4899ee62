"""Compares the CPU time of `labctl --help` and `labctl list` with that of importing click.

    .venv/bin/python benchmarks/startup.py

The commands take turns in one run, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 30
LABCTL = str(Path(sys.executable).with_name("labctl"))
COMMANDS = {
    "python -c 'import click'": [sys.executable, "-c", "import click"],
    "labctl --help": [LABCTL, "--help"],
    "labctl list": [LABCTL, "list"],
}


def cpu_s(command: list[str], environment: dict[str, str]) -> float:
    """Run a command and return the CPU seconds that it took, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as state:
        environment = {**os.environ, "LABCTL_STATE": state}
        taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(ROUNDS):
            for name, command in COMMANDS.items():
                taken[name].append(cpu_s(command, environment))
    floor = statistics.median(taken["python -c 'import click'"])
    for name, values in taken.items():
        median = statistics.median(values)
        sys.stdout.write(f"{name:28} {median * 1000:6.1f} ms CPU  {median / floor:4.2f} x\n")


if __name__ == "__main__":
    main()
