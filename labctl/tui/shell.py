"""A shell on a machine in the screen's own terminal, by the command that a user would type."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from shlex import join

from labctl.engine.choices import Choices
from labctl.text import harmless

OURSELVES = (sys.executable, "-c", "from labctl.cli.main import main; main()")


def shell_arguments(lab: str, machine: str, choices: Choices) -> list[str]:
    """Return what follows `labctl` in the command that opens a shell."""
    options = {"--target": choices.target, "--name": choices.name, "--labs": choices.catalogue_file}
    given = [f"{option}={value}" for option, value in options.items() if value]
    return ["ssh", *given, "--", lab, machine]


def shell_command(arguments: Sequence[str]) -> str:
    """Return the command as a user would type it."""
    return join(["labctl", *(each for each in arguments if each != "--")])


def run_shell(arguments: Sequence[str]) -> str:
    """Run the command in this terminal; return why it failed, in its own words, or nothing."""
    with _interrupts_for_the_shell():
        ended = subprocess.run([*OURSELVES, *arguments], stderr=subprocess.PIPE, check=False)
    said = ended.stderr.decode(errors="replace").strip()
    return harmless(said or f"it ended with status {ended.returncode}") if ended.returncode else ""


@contextmanager
def _interrupts_for_the_shell() -> Iterator[None]:
    """Let Ctrl-C end what runs in the terminal and not the screen that waits for it."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
