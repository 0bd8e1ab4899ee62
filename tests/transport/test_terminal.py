"""The interactive shell, from a process of its own: on a real terminal, and on pipes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.transport.sshd import SshServer

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from pathlib import Path
from labctl.transport.base import Machine
from labctl.transport.ssh import SshTransport
asked = json.loads(sys.argv[1])
machine = Machine(**{**asked["machine"], "key_file": Path(asked["machine"]["key_file"])})
transport = SshTransport(Path(asked["state"]))
status = transport.shell(machine, asked["command"], terminal=asked["terminal"])
transport.close()
sys.exit(status)
"""


def arguments(server: SshServer, command: str | None, *, terminal: bool) -> list[str]:
    machine = {**vars(server.machine()), "key_file": str(server.key_file)}
    asked = {
        "machine": machine,
        "state": str(server.folder / "state"),
        "command": command,
        "terminal": terminal,
    }
    return [sys.executable, "-c", PROGRAM, json.dumps(asked)]


def piped(
    server: SshServer, command: str | None, stdin: bytes
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        arguments(server, command, terminal=False),
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )


class Terminal:
    """A program on a pseudo-terminal, as a person would have it."""

    def __init__(self, command: list[str]) -> None:
        self.ours, theirs = pty.openpty()
        self.resize(100, 30)
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True
        )
        self.shown = b""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def see(self, text: str) -> None:
        ends = time.monotonic() + 20
        while text.encode() not in self.shown:
            assert time.monotonic() < ends, self.shown
            if select.select([self.ours], [], [], 0.1)[0]:
                self.shown += os.read(self.ours, 65536)
        self.shown = self.shown.split(text.encode(), 1)[1]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


def test_a_shell_on_a_terminal(server: SshServer) -> None:
    terminal = Terminal(arguments(server, None, terminal=True))
    try:
        terminal.type("PS1='ready'; stty -echo; test -t 0 && echo is_a'_'tty; stty size\n")
        terminal.see("is_a_tty")
        terminal.see("30 100")
        assert termios.tcgetattr(terminal.theirs) != terminal.before, "ours is raw meanwhile"
        trap = "trap 'echo caught; exit' INT; echo armed; while :; do sleep 0.1; done"
        terminal.type(f'bash -c "{trap}"\n')
        terminal.see("armed")
        terminal.type("\x03")  # Ctrl-C is for the machine
        terminal.see("caught")
        terminal.type("echo still'_'here\n")
        terminal.see("still_here")
        terminal.type(
            "echo go'_'on; until [ \"$(stty size)\" = '20 90' ]; do sleep 0.1; done; exit 7\n"
        )
        terminal.see("go_on")
        terminal.resize(90, 20)
        os.kill(terminal.process.pid, signal.SIGWINCH)
        assert terminal.process.wait(20) == 7
        assert termios.tcgetattr(terminal.theirs) == terminal.before
    finally:
        terminal.close()


def test_a_command_on_pipes_keeps_its_streams_apart(server: SshServer) -> None:
    done = piped(server, "cat; echo err >&2; exit 9", b"x" * 300_000)
    assert (done.stdout, done.stderr, done.returncode) == (b"x" * 300_000, b"err\n", 9)


def test_a_shell_without_a_terminal_reads_commands_from_its_input(server: SshServer) -> None:
    done = piped(server, None, b"echo one; exit 4\n")
    assert (done.stdout, done.returncode) == (b"one\n", 4)


def test_a_command_may_read_a_plain_file_or_nothing(server: SshServer, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"from a file")
    command = arguments(server, "cat", terminal=False)
    with (tmp_path / "in").open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, cwd=ROOT, timeout=60)
    assert (done.stdout, done.returncode) == (b"from a file", 0)
    closed = ["bash", "-c", '"$@" <&-', "bash", *command]
    done = subprocess.run(closed, capture_output=True, cwd=ROOT, timeout=60)
    assert (done.stdout, done.returncode) == (b"", 0), done.stderr


def test_both_streams_may_flow_at_once(server: SshServer) -> None:
    done = piped(server, "tee >(cat >&2)", b"y" * 3_000_000)
    assert (len(done.stdout), len(done.stderr), done.returncode) == (3_000_000, 3_000_000, 0)


@pytest.mark.parametrize(("command", "status"), [("kill -9 $$", 137), ("exit 255", 255)])
def test_the_status_is_the_commands(server: SshServer, command: str, status: int) -> None:
    assert piped(server, command, b"").returncode == status
