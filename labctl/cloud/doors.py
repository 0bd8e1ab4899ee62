"""Doors of an instance: the ports that its groups open to this machine, at its loopback address."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Collection

from labctl.cloud.relay import carry, listen
from labctl.cloud.tier import Machine

_log = logging.getLogger("labctl.doors")


class Doors:
    """Listens at `outside` for the services of one machine, which listen at `inside`."""

    def __init__(self, machine: Machine, *, outside: str, inside: str) -> None:
        self._machine = machine
        self._outside, self._inside = outside, inside
        self._open: dict[int, asyncio.Server] = {}
        self._changing = asyncio.Lock()
        self._closed = False

    async def open_only(self, ports: Collection[int]) -> None:
        """Let exactly these ports be reached, as far as this user may listen on them."""
        async with self._changing:
            if self._closed:
                return
            for port in [port for port in self._open if port not in ports]:
                self._open.pop(port).close()
            for port in sorted(set(ports) - self._open.keys()):
                try:
                    self._open[port] = await self._opened(port)
                except OSError as error:
                    _log.warning("%s:%d cannot be reached: %s", self._outside, port, error)

    async def _opened(self, port: int) -> asyncio.Server:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                there = await self._connected(port)
            except (OSError, ConnectionError):
                writer.transport.abort()
                return
            await carry((reader, writer), there)

        return await listen(socket.socket(), (self._outside, port), serve)

    async def _connected(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = await self._machine.new_socket()
        try:
            await asyncio.get_running_loop().sock_connect(sock, (self._inside, port))
            return await asyncio.open_connection(sock=sock)
        except OSError:
            sock.close()
            raise

    def close(self) -> None:
        """Close all of them for good."""
        self._closed = True
        for server in self._open.values():
            server.close()
        self._open = {}
