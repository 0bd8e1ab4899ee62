"""A lab from its start to its proof, by keys, in a real terminal, on the real local cloud."""

from __future__ import annotations

import re
import secrets
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Labctl

DEADLINE_S = 60.0
TMUX = shutil.which("tmux")

pytestmark = pytest.mark.skipif(TMUX is None, reason="tmux is not installed")


@dataclass(frozen=True)
class Terminal:
    """A terminal of 80 columns and 24 rows; keys go in, and what it shows can be read."""

    socket: str

    def tmux(self, *arguments: str) -> str:
        command = [str(TMUX), "-L", self.socket, "-f", "/dev/null", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=30
        ).stdout

    def start(self, labctl: Labctl, *arguments: str) -> None:
        environment = [f"{name}={value}" for name, value in labctl.environment.items()]
        command = shlex.join(["env", "-i", *environment, "TERM=screen-256color"])
        command += " " + shlex.join(labctl.command(*arguments))
        # The terminal does not always learn the status itself.
        command += f"; echo status $? > {shlex.quote(str(labctl.folder / 'ended'))}"
        self.tmux("new-session", "-d", "-x", "80", "-y", "24", "-c", str(labctl.folder), command)
        self.tmux("set-option", "-g", "remain-on-exit", "on")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def text(self) -> str:
        return self.tmux("capture-pane", "-p")

    def until(self, holds: Callable[[str], object], what: str) -> str:
        """Return what is shown as soon as it is what is wanted."""
        deadline = time.monotonic() + DEADLINE_S
        while not holds(text := self.text()):
            assert time.monotonic() < deadline, f"never showed {what}:\n{text}"
        return text

    def go_to(self, panel: str) -> None:
        """Press the number that stands before a panel's name."""
        tab = re.compile(rf"(\d) {panel}")
        found = tab.search(self.until(tab.search, f"a tab {panel}"))
        assert found is not None
        self.press(found[1])
        self.until(lambda text: f"{found[1]} {panel}]" in text, f"panel {panel}")


@pytest.fixture
def labctl(tmp_path: Path) -> Iterator[Labctl]:
    """The command with an empty state; its cloud is stopped at the end."""
    folder = tmp_path / "home"
    folder.mkdir()
    runner = Labctl(state=tmp_path / "state", folder=folder)
    yield runner
    runner("down", "numbers", "--yes", ok=False)
    runner("cloud", "stop", ok=False)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal of its own, closed at the end."""
    opened = Terminal(f"labctl-{secrets.token_hex(8)}")
    yield opened
    subprocess.run([str(TMUX), "-L", opened.socket, "kill-server"], capture_output=True)


def depth_of(text: str, queue: str = "requests") -> int | None:
    """Return how many messages the queues panel shows, visible and in flight."""
    row = re.search(rf"{queue} +([\d,]+) +([\d,]+) ", text)
    return sum(int(count.replace(",", "")) for count in row.groups()) if row else None


def head_of(text: str) -> str:
    return text.splitlines()[0]


def test_numbers_from_start_to_proof(labctl: Labctl, terminal: Terminal) -> None:
    terminal.start(labctl, "open", "numbers")
    terminal.until(lambda text: "numbers: not started" in head_of(text), "the lab's screen")
    terminal.go_to("Queues")
    terminal.press("r")
    terminal.until(lambda text: "run" in head_of(text), "the run in the head")

    terminal.until(lambda text: (depth_of(text) or 0) > 0, "jobs in the queue")
    terminal.until(lambda text: depth_of(text) == 0, "an empty queue")
    terminal.until(
        lambda text: "numbers: up" in head_of(text) and "run" not in head_of(text), "the lab up"
    )
    terminal.go_to("Log")
    terminal.until(lambda text: "PASS" in text, "the checks passed")

    terminal.press("d")
    question = terminal.until(lambda text: "Delete everything of numbers?" in text, "the question")
    assert "sqs.queue" in question
    terminal.press("y")
    terminal.until(lambda text: "othing is left" in text, "the proof")
    assert labctl.json("status") == []

    terminal.press("Enter")
    terminal.until(lambda text: "othing is left" not in text, "the lab's screen again")
    assert "numbers: not started" in head_of(terminal.text())
    terminal.press("q")
    ended = labctl.folder / "ended"
    terminal.until(lambda text: ended.exists() and ended.read_text(), "the end")
    assert ended.read_text() == "status 0\n"


def test_a_lab_that_cannot_be_opened_is_one_line_and_a_status(
    labctl: Labctl, terminal: Terminal
) -> None:
    terminal.start(labctl, "open", "no-such-lab")
    ended = labctl.folder / "ended"
    terminal.until(lambda text: ended.exists() and ended.read_text(), "the end")
    assert ended.read_text() == "status 2\n"
    assert "valid: db-patterns, db-scaling, images, numbers" in terminal.text()
    assert "Traceback" not in terminal.text()
