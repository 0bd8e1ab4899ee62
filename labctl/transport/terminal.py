"""Connects this process's terminal to a shell or a command on a machine, as ssh does."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator

import paramiko

from labctl.transport.base import Machine
from labctl.transport.commands import begin, interactive, lost

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_PIECE = 2**15
_GLANCE_S = 0.05


def connect_terminal(
    channel: paramiko.Channel, command: str | None, *, machine: Machine, terminal: bool
) -> int:
    """Carry input and output between file descriptors 0, 1, 2 and the machine until its end.

    With `terminal` the machine gives the command a terminal of ours' kind and size; ours is raw
    meanwhile, if it is one. Returns the command's status, a signal as 128 + its number.
    """
    ours = terminal and sys.__stdin__ is not None and os.isatty(_STDIN)
    try:
        if terminal:
            width, height = _size()
            channel.get_pty(os.environ.get("TERM", "xterm"), width, height)
        if command is None:
            channel.invoke_shell()
        else:
            begin(channel, interactive(command), timeout_s=30.0)
        with _raw() if ours else contextlib.nullcontext(), _resizes() as resized:
            _carry(channel, resized)
        status = channel.recv_exit_status()
    except (paramiko.SSHException, EOFError) as error:
        raise lost(machine) from error
    if status < 0:
        raise lost(machine)
    return status


def _carry(channel: paramiko.Channel, resized: int | None) -> None:
    typed = b""  # read from our input, not yet taken by the machine
    # select() alone takes terminals, pipes and plain files alike, on every system.
    with selectors.SelectSelector() as ready:
        ready.register(channel, selectors.EVENT_READ)
        if resized is not None:
            ready.register(resized, selectors.EVENT_READ)
        listening = _listen(channel, ready)
        while True:
            # A glance now and then: paramiko loses wake-ups when stdout and stderr both flow.
            awake = {key.fd for key, _ in ready.select(_GLANCE_S)}
            ended = channel.eof_received or channel.closed
            _show(channel)
            if ended:
                return
            if resized is not None and resized in awake:
                os.read(resized, _PIECE)
                channel.resize_pty(*_size())
            if listening and not typed and _STDIN in awake:
                typed = os.read(_STDIN, _PIECE)
                if not typed:
                    listening = _end_of_input(channel, ready)
            typed = _hand_over(channel, typed)


def _listen(channel: paramiko.Channel, ready: selectors.BaseSelector) -> bool:
    """Watch our input; False, and an end of input for the machine, when it is closed."""
    # A descriptor 0 that was closed from the start may by now be something else of ours.
    if sys.__stdin__ is None:
        channel.shutdown_write()
        return False
    ready.register(_STDIN, selectors.EVENT_READ)
    return True


def _end_of_input(channel: paramiko.Channel, ready: selectors.BaseSelector) -> bool:
    channel.shutdown_write()
    ready.unregister(_STDIN)
    return False


def _hand_over(channel: paramiko.Channel, typed: bytes) -> bytes:
    """Send what the machine takes now, and return the rest: waiting would block its output."""
    if not typed or not channel.send_ready():
        return typed
    try:
        return typed[channel.send(typed) :]
    except OSError:
        return b""  # the command ended without reading it


def _show(channel: paramiko.Channel) -> None:
    while channel.recv_ready():
        _write(_STDOUT, channel.recv(_PIECE))
    while channel.recv_stderr_ready():
        _write(_STDERR, channel.recv_stderr(_PIECE))


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _size() -> tuple[int, int]:
    """Return columns and lines of our terminal."""
    for descriptor in (_STDIN, _STDOUT, _STDERR):
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(descriptor)
            if size.columns and size.lines:
                return size.columns, size.lines
    return 80, 24


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Let every key through to the machine, Ctrl-C too, and restore the terminal at the end."""
    before = termios.tcgetattr(_STDIN)
    tty.setraw(_STDIN, termios.TCSADRAIN)  # what was typed ahead is kept
    try:
        yield
    finally:
        termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _resizes() -> Iterator[int | None]:
    """Give a descriptor that becomes readable when our terminal's size changes.

    None outside the main thread, where no signal arrives.
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    heard, tell = os.pipe()
    os.set_blocking(tell, False)

    def told(*_: object) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(tell, b"w")

    # The handler only tells: it may run while the channel's own lock is held.
    before = signal.signal(signal.SIGWINCH, told)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(heard)
        os.close(tell)
