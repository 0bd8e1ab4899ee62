"""Carries connections from a port of this machine to a port on another, over its SSH connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

import paramiko

from labctl.errors import LabctlError, TransportError

_LOOPBACK = "127.0.0.1"
_BLOCK = 2**15
_LOOK_S = 0.2

Open = Callable[[tuple[str, int]], paramiko.Channel]  # opens a channel for a caller's address


def listen_here(port: int) -> socket.socket:
    """Listen on loopback, at a port or (0) at any free one; raises `TransportError`."""
    try:
        return socket.create_server((_LOOPBACK, port))
    except (OSError, OverflowError) as error:
        raise TransportError(
            f"port {port} of this machine cannot be listened on: {error}",
            "take another one with --here, or 0 for any",
        ) from error


def carry_all(
    listener: socket.socket,
    open_channel: Open,
    *,
    cancelled: threading.Event,
    on_failure: Callable[[LabctlError], None],
) -> None:
    """Carry every connection that comes, until cancelled."""
    listener.settimeout(_LOOK_S)
    while not cancelled.is_set():
        try:
            caller, address = listener.accept()
        except TimeoutError:
            continue
        work = (caller, address, open_channel, on_failure)
        threading.Thread(target=_carry, args=work, daemon=True).start()


def _carry(
    caller: socket.socket,
    address: tuple[str, int],
    open_channel: Open,
    on_failure: Callable[[LabctlError], None],
) -> None:
    with caller:
        try:
            channel = open_channel(address)
        except LabctlError as error:
            on_failure(error)
            return
        with contextlib.closing(channel):
            there = threading.Thread(target=_pump, args=(caller, channel), daemon=True)
            there.start()
            _pump(channel, caller)
            there.join()


def _pump(
    source: socket.socket | paramiko.Channel, target: socket.socket | paramiko.Channel
) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while data := source.recv(_BLOCK):
            target.sendall(data)
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        if isinstance(target, paramiko.Channel):
            target.shutdown_write()
        else:
            target.shutdown(socket.SHUT_WR)
