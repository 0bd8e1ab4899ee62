"""One login to one machine, step by step, so that each failure is known for what it is."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from typing import Literal

import paramiko

from labctl.errors import TransportError
from labctl.text import one_line
from labctl.transport.base import Machine
from labctl.transport.keys import Keys
from labctl.transport.known_hosts import KnownHosts, place
from labctl.transport.patience import Patience

# Without a handler of its own, Python prints paramiko's tracebacks on stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

Phase = Literal["tcp", "banner", "auth", "exec"]

_TCP_S = 4.0  # a machine that boots drops the first packets; asking anew is quicker than waiting
_MAY_PASS = {
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.EHOSTUNREACH,
    errno.EHOSTDOWN,
    errno.ENETUNREACH,
    errno.ENETDOWN,
    errno.ETIMEDOUT,
    errno.EPIPE,
    errno.EAGAIN,
    errno.EADDRNOTAVAIL,
}


class NotYet(TransportError):
    """A step of a login failed in a way that may pass while a machine starts."""

    def __init__(self, phase: Phase, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.phase = phase


def log_in(
    machine: Machine, *, keys: Keys, known_hosts: KnownHosts, patience: Patience
) -> paramiko.Transport:
    """Return a new authenticated connection to a machine.

    Raises `NotYet` for what may pass, `HostKeyChanged` and `TransportError` for what will not,
    `Interrupted` when cancelled.
    """
    accepted = known_hosts.accepted(machine)
    connection = paramiko.Transport(_socket(machine, patience))
    try:
        _negotiate(connection, machine, accepted=accepted, patience=patience)
        known_hosts.check(machine, _shown_key(connection))
        _authenticate(connection, machine, keys=keys, patience=patience)
    except BaseException:
        connection.close()
        raise
    connection.set_keepalive(30)
    return connection


def _socket(machine: Machine, patience: Patience) -> socket.socket:
    patience.check()
    try:
        link = socket.create_connection(
            (machine.address, machine.port), timeout=max(0.1, min(_TCP_S, patience.left_s))
        )
    except (OSError, UnicodeError) as error:
        raise _unreachable(machine, error) from error
    # Small packets at once: without this a command waits for the other side's delayed answer.
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 15),
        ("TCP_KEEPINTVL", 5),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 30_000),  # milliseconds that sent data may stay unanswered
    ):
        if hasattr(socket, name):
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return link


def _unreachable(machine: Machine, error: OSError | UnicodeError) -> TransportError:
    message = f"{machine.name}: {place(machine)} cannot be reached: {_reason(error)}"
    if isinstance(error, UnicodeError):
        return TransportError(message, "check the address of the host")
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return NotYet("tcp", message, "is this machine online?")
        return TransportError(message, "check the address of the host")
    hint = "is the machine running, and does its security group let your address in on the port?"
    if isinstance(error, TimeoutError) or error.errno in _MAY_PASS:
        return NotYet("tcp", message, hint)
    return TransportError(message, hint)


def _negotiate(
    connection: paramiko.Transport,
    machine: Machine,
    *,
    accepted: tuple[str, ...],
    patience: Patience,
) -> None:
    connection.banner_timeout = connection.handshake_timeout = patience.left_s
    options = connection.get_security_options()
    options.key_types = _key_types(tuple(options.key_types), accepted)
    negotiated = threading.Event()
    connection.start_client(event=negotiated)
    if patience.waits_for(negotiated) and connection.is_active():
        return
    error = connection.get_exception()
    raise NotYet(
        "banner",
        f"{machine.name}: {place(machine)} does not answer as an SSH server"
        f"{': ' + _reason(error) if error else ''}",
        "the machine may still be starting; is the port that of its SSH server?",
    )


def _key_types(offered: tuple[str, ...], accepted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the host key types, those of the pinned keys first: a server may have several."""
    pinned = {line.split(maxsplit=1)[0] for line in accepted if line.strip()}
    if "ssh-rsa" in pinned:
        pinned |= {"rsa-sha2-512", "rsa-sha2-256"}
    return tuple(sorted(offered, key=lambda name: name not in pinned))


def _shown_key(connection: paramiko.Transport) -> str:
    key = connection.get_remote_server_key()
    return f"{key.get_name()} {key.get_base64()}"


def _authenticate(
    connection: paramiko.Transport, machine: Machine, *, keys: Keys, patience: Patience
) -> None:
    with keys.offered(machine) as offered:
        for key in offered:
            answered = threading.Event()
            try:
                connection.auth_publickey(machine.user, key, answered)
            except paramiko.SSHException:
                break  # the server hung up after the key before
            if patience.waits_for(answered) and connection.is_authenticated():
                return
            if not connection.is_active():
                break
    raise NotYet(
        "auth",
        f"{machine.name}: {place(machine)} does not accept the key",
        "is it the right user and key file? `ssh -v` to the same place shows what is offered",
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    strerror = error.strerror if isinstance(error, OSError) else None
    return one_line(strerror or str(error) or type(error).__name__)
