"""Port forwarding over an instance's SSH server: from and to where the instance is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import cast

import asyncssh
from asyncssh.forward import SSHForwarder, SSHLocalPortForwarder
from asyncssh.listener import SSHForwardListener

from labctl.cloud.beneath import read_bytes
from labctl.cloud.tier import Machine

_LOOPBACK = "127.0.0.1"
_CONNECT_S = 10.0
Tunnel = asyncssh.SSHTCPSession[bytes]


async def connected(machine: Machine, root: Path, host: str, port: int) -> Tunnel:
    """Return what carries a channel to a host and port, reached from the instance."""
    loop = asyncio.get_running_loop()
    address = _address_of(root, host)
    try:
        sock = await machine.new_socket()
        async with asyncio.timeout(_CONNECT_S):
            await loop.sock_connect(sock, (address, port))
        _, peer = await loop.create_connection(SSHForwarder, sock=sock)
    except OSError as error:
        raise _refusal(str(error)) from error
    return _as_session(SSHForwarder(peer))


async def listening(
    machine: Machine, connection: asyncssh.SSHServerConnection, host: str, port: int
) -> asyncssh.SSHListener:
    """Listen on the instance's loopback, and hand who calls there to the client.

    Raises `OSError` when that port is taken. On loopback only, as sshd does unless told otherwise.
    """
    sock = await machine.new_socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((_LOOPBACK, port))
        bound = sock.getsockname()[1]

        async def tunnel(factory: Callable[[], Tunnel], caller: str, caller_port: int) -> object:
            return await connection.create_connection(
                factory, host, bound, caller, caller_port, encoding=None
            )

        server = await asyncio.get_running_loop().create_server(
            lambda: SSHLocalPortForwarder(connection, tunnel), sock=sock
        )
    except OSError:
        sock.close()
        raise
    return SSHForwardListener(connection, [server], (host, bound), bound)


def _address_of(root: Path, host: str) -> str:
    """Return the address of a name, by the instance's own hosts file."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        pass  # a name
    try:
        lines = read_bytes(root, "etc/hosts").decode(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        address, *names = line.split("#")[0].split() or [""]
        if host in names:
            return address
    if host in ("localhost", ""):
        return _LOOPBACK
    raise _refusal(f"{host}: no such host")


def _as_session(forwarder: SSHForwarder) -> Tunnel:
    return cast(Tunnel, forwarder)  # it has all the methods of one


def _refusal(reason: str) -> asyncssh.ChannelOpenError:
    return asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, reason)
