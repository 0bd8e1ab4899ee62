"""Keeps one connection per machine, makes it again when it died, and lends channels on it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko

from labctl.errors import TransportError
from labctl.text import one_line
from labctl.transport.base import Machine
from labctl.transport.keys import Keys
from labctl.transport.known_hosts import KnownHosts, key_blob
from labctl.transport.login import NotYet, log_in
from labctl.transport.patience import Patience

LOGINS_AT_ONCE = 32
CHANNELS_AT_ONCE = 8  # OpenSSH refuses the eleventh on a connection
_OPEN_S = 10.0  # after that, a kept connection counts as dead
_ASK_AGAIN_S = 0.02

_Place = tuple[str, int, str, Path | None]


class _Kept:
    """The place of one machine's connection; `lock` guards making and dropping it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: paramiko.Transport | None = None
        self.channels = threading.BoundedSemaphore(CHANNELS_AT_ONCE)


class Connections:
    """One kept connection for each address, port, user and key; safe to use from many threads."""

    def __init__(self, known_hosts: KnownHosts) -> None:
        self._known_hosts = known_hosts
        self._keys = Keys()
        self._kept: dict[_Place, _Kept] = {}
        self._lock = threading.Lock()
        self._logins = threading.BoundedSemaphore(LOGINS_AT_ONCE)

    @contextlib.contextmanager
    def channel(self, machine: Machine, patience: Patience) -> Iterator[paramiko.Channel]:
        """Lend a channel on the machine's connection, closed at the end.

        A kept connection that turns out dead is made again once: nothing has been sent on it.
        """
        kept = self._kept_for(machine)
        if not patience.takes(kept.channels):
            raise TransportError(
                f"{machine.name}: {CHANNELS_AT_ONCE} commands are at work on it already",
                "wait for one of them to end",
            )
        try:
            channel = self._opened(machine, kept, patience)
            try:
                yield channel
            finally:
                channel.close()
        finally:
            kept.channels.release()

    def tunnel(
        self, machine: Machine, port: int, caller: tuple[str, int], patience: Patience
    ) -> paramiko.Channel:
        """Return a channel to a port of the machine's own loopback, closed by who takes it."""
        connection = self._connection(machine, self._kept_for(machine), patience)
        try:
            return connection.open_channel(
                "direct-tcpip", ("127.0.0.1", port), caller, timeout=patience.left_s
            )
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise TransportError(
                f"{machine.name}: nothing answers on its port {port}: {one_line(str(error))}",
                f"is the service up? labctl ssh LAB {machine.name}",
            ) from error

    def _opened(self, machine: Machine, kept: _Kept, patience: Patience) -> paramiko.Channel:
        died = False
        while True:
            connection = self._connection(machine, kept, patience)
            opening = Patience(max(0.1, min(_OPEN_S, patience.left_s)))
            try:
                return connection.open_session(timeout=opening.left_s)
            except (paramiko.SSHException, EOFError, OSError) as error:
                if connection.is_active() and opening.left_s:
                    # Refused, not dead: servers count a channel for a moment longer than we do.
                    if patience.pause(_ASK_AGAIN_S):
                        continue
                    raise NotYet(
                        "exec",
                        f"{machine.name}: the SSH server opens no channel: {one_line(str(error))}",
                        "is its MaxSessions very low? try again",
                    ) from error
                self._drop(kept, connection)
                if died:
                    raise NotYet(
                        "exec",
                        f"{machine.name}: the connection broke as soon as it was made",
                        "is the machine going down?",
                    ) from error
                died = True

    def _connection(self, machine: Machine, kept: _Kept, patience: Patience) -> paramiko.Transport:
        if not patience.takes(kept.lock):
            raise NotYet("tcp", f"{machine.name}: another login to it hangs", "try again")
        try:
            if kept.connection is None or not self._still_good(kept.connection, machine):
                _close(kept.connection)
                kept.connection = None
                kept.connection = self._log_in(machine, patience)
            return kept.connection
        finally:
            kept.lock.release()

    def _still_good(self, connection: paramiko.Transport, machine: Machine) -> bool:
        """Whether it lives, and with a host key that is accepted now: pins may have changed."""
        if not connection.is_active():
            return False
        shown = connection.get_remote_server_key().asbytes()
        return shown in {key_blob(line) for line in self._known_hosts.accepted(machine)}

    def _log_in(self, machine: Machine, patience: Patience) -> paramiko.Transport:
        if not patience.takes(self._logins):
            raise NotYet("tcp", f"{machine.name}: too many logins at once", "try again")
        try:
            return log_in(
                machine, keys=self._keys, known_hosts=self._known_hosts, patience=patience
            )
        finally:
            self._logins.release()

    def _drop(self, kept: _Kept, connection: paramiko.Transport) -> None:
        with kept.lock:
            _close(connection)
            if kept.connection is connection:
                kept.connection = None

    def _kept_for(self, machine: Machine) -> _Kept:
        with self._lock:
            return self._kept.setdefault(_place_of(machine), _Kept())

    def forget(self, machine: Machine) -> None:
        """Close the machine's connection, if there is one."""
        with self._lock:
            kept = self._kept.pop(_place_of(machine), None)
        if kept is not None:
            _close(kept.connection)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            everything = list(self._kept.values())
            self._kept.clear()
        for kept in everything:
            _close(kept.connection)


def _place_of(machine: Machine) -> _Place:
    return (machine.address, machine.port, machine.user, machine.key_file)


def _close(connection: paramiko.Transport | None) -> None:
    if connection is not None:
        connection.close()
