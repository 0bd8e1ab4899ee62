"""Runs one command on an open channel: its input, all its output, its status."""

from __future__ import annotations

import contextlib
import shlex
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import paramiko

from labctl.errors import TransportError
from labctl.transport.base import Completed, Machine
from labctl.transport.patience import Patience

MOST_OUTPUT = 64 * 2**20  # bytes that a command may write before labctl stops listening
LONGEST_LINE = 2**16  # bytes; a longer line is handed over in pieces of about that
_PIECE = 2**16
_SURE_WINDOW = 2**15  # bytes that every server takes before the command reads any
_GLANCE_S = 0.1
_BROKEN = (paramiko.SSHException, OSError, EOFError)

# Each of these runs the script "$1" under a bash that tells the end by a signal as 128 + number.
#
# paramiko may send input, or its end, just after the channel was closed by the other side; OpenSSH
# then drops the whole connection. So nothing is sent where no input is given, and what is given is
# read to its end before the command ends.
# Its own stderr is shut, or it would add a line about a script that was killed.
_QUIETLY = 'exec 3>&2 2>/dev/null; bash -c "$1" 2>&3 3>&-'
_WITHOUT_INPUT = f'{_QUIETLY} </dev/null; exit "$?"'
_WITH_INPUT = f'{_QUIETLY}; status=$?; cat >/dev/null 3>&-; exit "$status"'
_WITH_OPEN_INPUT = f'{_QUIETLY}; exit "$?"'

# The script runs as a job of its own that is killed with all it started as soon as our end of
# the channel is gone: a `tail -F` on a silent log would otherwise stay for ever.
_WHILE_CONNECTED = """\
set -m
exec 3<&0
bash -c "$1" </dev/null 2>&1 3<&- & child=$!
exec 2>/dev/null
{ cat <&3; kill -TERM -- "-$child"; } >/dev/null & watcher=$!
exec 3<&-
wait "$child"; status=$?
kill -TERM -- "-$watcher"
exit "$status"
"""


@dataclass(frozen=True)
class InputOnCue:
    """Input that is made and sent once the script has written `cue`, and not before.

    The script must then read it to its end, whatever happens.
    """

    cue: bytes
    make: Callable[[], bytes]


def interactive(script: str) -> str:
    """Return the command that runs a bash script on the channel's own input."""
    return _command(_WITH_OPEN_INPUT, script)


def _command(runner: str, script: str) -> str:
    if "\0" in script:
        raise TransportError("a command cannot contain a NUL")
    return f"exec bash -c {shlex.quote(runner)} labctl {shlex.quote(script)}"


def complete(
    channel: paramiko.Channel,
    script: str,
    *,
    machine: Machine,
    stdin: bytes | InputOnCue = b"",
    timeout_s: float,
) -> Completed:
    """Run a script to its end and to the end of its output.

    At the timeout the channel is closed; what the script started on the machine may go on.
    """
    patience = Patience(timeout_s)
    waiting = stdin if isinstance(stdin, InputOnCue) else None
    runner = _WITH_OPEN_INPUT if waiting else _WITH_INPUT if stdin else _WITHOUT_INPUT
    command = _command(runner, script)
    try:
        begin(channel, command, timeout_s=timeout_s)
        if isinstance(stdin, bytes) and stdin:
            _feed(channel, stdin)
        stdout, stderr = _drain(channel, patience, waiting=waiting)
        in_time = patience.waits_for(channel.status_event)
    except _BROKEN as error:
        raise _broken(machine, error, timeout_s) from error
    if not in_time:
        raise _broken(machine, TimeoutError(), timeout_s)
    if channel.exit_status < 0:
        raise lost(machine)
    return Completed(channel.exit_status, stdout, stderr)


def follow_lines(
    channel: paramiko.Channel,
    script: str,
    on_line: Callable[[str], None],
    *,
    machine: Machine,
    cancelled: threading.Event,
) -> int:
    """Hand over a script's output line by line, stderr included, and return its status.

    When `cancelled` is set the script is killed, and its status is 143 (128 + SIGTERM).
    """
    command = _command(_WHILE_CONNECTED, script)
    line = bytearray()
    for piece in _pieces(channel, command, machine=machine, cancelled=cancelled):
        line += piece
        *whole, line = line.split(b"\n")
        for one in whole:
            on_line(one.decode(errors="replace"))
        if len(line) > LONGEST_LINE:
            on_line(line.decode(errors="replace"))
            line.clear()
    if cancelled.is_set():
        return 143
    if line:
        on_line(line.decode(errors="replace"))
    status = channel.recv_exit_status()
    if status < 0:
        raise lost(machine)
    return status


def begin(channel: paramiko.Channel, command: str, *, timeout_s: float) -> None:
    """Start a command; paramiko itself would wait for a server that hangs without an end."""
    timed_out = threading.Event()

    def give_up() -> None:
        timed_out.set()
        channel.close()

    timer = threading.Timer(timeout_s, give_up)
    timer.daemon = True
    timer.start()
    try:
        channel.exec_command(command.encode())
    except _BROKEN as error:
        if timed_out.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()


def lost(machine: Machine) -> TransportError:
    """Return the error for a connection that broke while a command ran."""
    return TransportError(
        f"{machine.name}: the connection was lost while a command ran on it",
        "it may have done part of its work; see `labctl status`, then run the command again",
    )


def _broken(machine: Machine, error: Exception, timeout_s: float) -> TransportError:
    if isinstance(error, TimeoutError):
        return TransportError(
            f"{machine.name}: a command did not end within {timeout_s:.3g} s",
            f"it may still be at work on the machine; look with `labctl ssh LAB {machine.name}`",
        )
    if isinstance(error, _TooMuch):
        return TransportError(
            f"{machine.name}: a command wrote more than {MOST_OUTPUT >> 20} MiB",
            "write to a file on the machine, and fetch that",
        )
    return lost(machine)


def _pieces(
    channel: paramiko.Channel, command: str, *, machine: Machine, cancelled: threading.Event
) -> Iterator[bytes]:
    try:
        begin(channel, command, timeout_s=30.0)
        channel.settimeout(_GLANCE_S)
        while not cancelled.is_set():
            with contextlib.suppress(TimeoutError):
                piece = channel.recv(_PIECE)
                if not piece:
                    return
                yield piece
    except _BROKEN as error:
        raise lost(machine) from error


class _TooMuch(OSError):
    """More output than anyone can want in memory."""


class _StderrReader(threading.Thread):
    """Reads stderr beside stdout: they share a window, and either fills it for both."""

    def __init__(self, channel: paramiko.Channel) -> None:
        super().__init__(name="ssh-stderr", daemon=True)
        self._channel = channel
        self.read = bytearray()

    def run(self) -> None:
        # Whatever breaks the channel breaks the reading of stdout too, which reports it.
        with contextlib.suppress(*_BROKEN):
            while (piece := self._channel.recv_stderr(_PIECE)) and len(self.read) <= MOST_OUTPUT:
                self.read += piece


def _drain(
    channel: paramiko.Channel, patience: Patience, *, waiting: InputOnCue | None
) -> tuple[bytes, bytes]:
    """Return stdout and stderr in full.

    Not by select: paramiko's file descriptor for it loses wake-ups when both streams flow.
    """
    channel.settimeout(patience.left_s)
    beside = _StderrReader(channel)
    beside.start()
    stdout = bytearray()
    while piece := channel.recv(_PIECE):
        stdout += piece
        if len(stdout) + len(beside.read) > MOST_OUTPUT:
            raise _TooMuch
        if waiting is not None and waiting.cue in stdout:
            _feed(channel, waiting.make())
            waiting = None
        if not patience.left_s:
            raise TimeoutError
        channel.settimeout(patience.left_s)
    beside.join(patience.left_s)
    if beside.is_alive():
        raise TimeoutError
    if len(beside.read) > MOST_OUTPUT:
        raise _TooMuch
    return bytes(stdout), bytes(beside.read)


def _feed(channel: paramiko.Channel, data: bytes) -> None:
    """Send a command its input; a long one beside the reading, for either may wait on the other."""

    def send() -> None:
        # When the machine is gone, the reading of its output tells so.
        with contextlib.suppress(*_BROKEN):
            channel.sendall(data)
            channel.shutdown_write()

    if len(data) <= _SURE_WINDOW:
        send()
    else:
        threading.Thread(target=send, name="ssh-stdin", daemon=True).start()
