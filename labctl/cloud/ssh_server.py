"""An instance's SSH server: its address, its host key, and who may enter."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh

from labctl.cloud.beneath import read_bytes, write_bytes
from labctl.cloud.ssh_forwarding import connected, listening
from labctl.cloud.ssh_session import Session
from labctl.cloud.tier import Machine

COMMON_PORT = 2222
SSH_PORT = 22
_HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
_LOGIN_S = 30
_log = logging.getLogger("labctl.ssh")


class HostKeyError(Exception):
    """The host key's file holds no usable key."""


def store_host_key(root: Path, private: str) -> None:
    """Put a host key where the instance keeps it; an empty or broken one is replaced by a new."""
    try:
        key = asyncssh.import_private_key(private)
    except (asyncssh.KeyImportError, ValueError):
        if private:
            _log.warning("%s: the host key of the user data is no key; it gets its own", root.name)
        key = asyncssh.generate_private_key("ssh-ed25519")
    write_bytes(root, _HOST_KEY, key.export_private_key())
    write_bytes(root, f"{_HOST_KEY}.pub", key.export_public_key(), mode=0o644)


def _host_key(root: Path) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(read_bytes(root, _HOST_KEY))
    except (OSError, asyncssh.KeyImportError, ValueError) as error:
        raise HostKeyError(f"{root / _HOST_KEY}: {error}") from error


class _Login(asyncssh.SSHServer):
    """Lets in the instance's users with one of its authorized keys."""

    def __init__(
        self,
        server: SshServer,
        connections: set[asyncssh.SSHServerConnection],
        lets_in: Callable[[str], bool],
    ) -> None:
        self._server = server
        self._connections = connections
        self._lets_in = lets_in

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Remember the connection: it ends with the machine. Cut it if nobody is to come in."""
        self._connection = conn
        self._connections.add(conn)
        if not self._lets_in(conn.get_extra_info("peername")[0]):
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        """Ask everybody for a key."""
        return True

    def public_key_auth_supported(self) -> bool:
        """Offer keys, and nothing else."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Tell whether a key is one of the home's authorized keys."""
        if username not in self._server.users:
            return False
        path = f"home/{self._server.users[0]}/.ssh/authorized_keys"
        try:
            lines = read_bytes(self._server.root, path).decode(errors="replace").splitlines()
        except OSError:
            return False
        return any(key.public_data == known for known in map(_public_data, lines))

    def session_requested(self) -> asyncssh.SSHServerSession[bytes] | bool:
        """Open a session while the machine runs."""
        machine = self._server.machine
        if machine is None:
            return False
        return Session(machine, self._server.home, built_in_sftp=not self._server.own_network)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool | Awaitable[asyncssh.SSHTCPSession[bytes]]:
        """Forward to wherever the client names, from where the instance is."""
        machine = self._server.machine
        if machine is None or not self._server.own_network:
            return machine is not None
        return connected(machine, self._server.root, dest_host, dest_port)

    def server_requested(
        self, listen_host: str, listen_port: int
    ) -> bool | Awaitable[asyncssh.SSHListener]:
        """Listen on loopback where the instance is, and send who calls there to the client."""
        machine = self._server.machine
        if machine is None:
            return False
        return listening(machine, self._connection, listen_host, listen_port)


def _public_data(line: str) -> bytes | None:
    words = line.split()
    for index, word in enumerate(words[:-1]):
        if word.startswith(("ssh-", "ecdsa-", "sk-")):
            try:
                return asyncssh.import_public_key(f"{word} {words[index + 1]}").public_data
            except (asyncssh.KeyImportError, ValueError):
                return None
    return None


class SshServer:
    """Listens for one instance; the listener outlives the machine's reboots."""

    def __init__(
        self,
        root: Path,
        users: tuple[str, ...],
        *,
        own_network: bool,
        lets_in: Callable[[str], bool],
    ) -> None:
        self.root = root
        self.users = users
        self.own_network = own_network
        self._lets_in = lets_in  # whom of the real machine's addresses
        self._acceptors: list[asyncssh.SSHAcceptor] = []
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self.machine: Machine | None = None
        self.home = ""  # as the instance's programs see it
        self.port = 0
        self.host_key = ""

    async def listen(self, address: str, preferred: int) -> None:
        """Listen at an address: on the port it had, else the common one, else any free one.

        In an instance with a network of its own also there, on SSH's own port.
        """
        key = _host_key(self.root)
        sock = _bound(address, [preferred, COMMON_PORT, 0] if preferred else [COMMON_PORT, 0])
        self.port = sock.getsockname()[1]
        self._acceptors.append(await self._accept(sock, key, self._lets_in))
        if self.own_network and self.machine is not None:
            inside = _bound_inside(await self.machine.new_socket())
            # Who comes from another instance was looked at on the way.
            self._acceptors.append(await self._accept(inside, key, lambda caller: True))
        self.host_key = key.export_public_key().decode().strip()

    async def _accept(
        self, sock: socket.socket, key: asyncssh.SSHKey, lets_in: Callable[[str], bool]
    ) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            sock=sock,
            server_factory=lambda: _Login(self, self._connections, lets_in),
            server_host_keys=[key],
            encoding=None,
            line_editor=False,
            agent_forwarding=False,
            x11_forwarding=False,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            compression_algs=None,
            login_timeout=_LOGIN_S,
            config=None,
        )

    def reload_host_key(self) -> None:
        """Use the host key that the file holds now, for new connections.

        Raises `HostKeyError`, and goes on with the old one, when it holds none.
        """
        key = _host_key(self.root)
        for acceptor in self._acceptors:
            acceptor.update(server_host_keys=[key])
        self.host_key = key.export_public_key().decode().strip()

    def close(self) -> None:
        """Stop listening, as at the moment a machine goes down."""
        self.machine = None
        for acceptor in self._acceptors:
            acceptor.close()
        self._acceptors = []

    def drop(self) -> None:
        """Cut the connections that are left."""
        for connection in list(self._connections):
            connection.abort()


def _bound_inside(sock: socket.socket) -> socket.socket:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("0.0.0.0", SSH_PORT))
    sock.listen(128)
    return sock


def _bound(address: str, ports: list[int]) -> socket.socket:
    for port in ports:
        sock = socket.socket()
        # Without this a port just left could not be taken again for a minute.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
            sock.listen(128)
        except OSError:
            sock.close()
            if port == 0:
                raise
        else:
            return sock
    raise AssertionError("port 0 is always tried")
