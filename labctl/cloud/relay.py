"""Carries TCP connections from one network to another, both ways and with their half-closes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

_BLOCK = 2**16
End = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def listen(sock: socket.socket, at: tuple[str, int], serve: Serve) -> asyncio.Server:
    """Listen with a socket, which may be of another network; raises `OSError`."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(at)
        return await asyncio.start_server(serve, sock=sock)
    except OSError:
        sock.close()
        raise


def relaying(to: tuple[str, int]) -> Serve:
    """Return what connects each caller to an address of this process's own network."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(*to)
        except OSError:
            writer.transport.abort()
            return
        await carry((reader, writer), there)

    return serve


async def carry(one: End, other: End) -> None:
    """Carry what comes from each end to the other, until both have ended; then close them."""
    await asyncio.gather(_pump(one[0], other[1]), _pump(other[0], one[1]))
    for _, writer in (one, other):
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction until its end, and tell the other side of that."""
    with suppress(OSError):
        while data := await reader.read(_BLOCK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
