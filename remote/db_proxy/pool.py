"""Connections to one server as one account, kept for the next query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from db_proxy.connection import OneStatement, Refusal, translated

_WAIT_S = 1.0


class Busy(Exception):
    """Every connection is in use, and none came back in time."""


class Pool:
    """At most so many connections; the one used last is used next, so that few stay open."""

    def __init__(self, connect: Callable[[], Awaitable[OneStatement]], *, most: int) -> None:
        self._connect = connect
        self._idle: list[OneStatement] = []
        self._places = asyncio.Semaphore(most)
        self.in_use = 0

    @property
    def idle(self) -> int:
        """How many connections wait for a query."""
        return len(self._idle)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[OneStatement]:
        """Lend a connection. One is kept only after success or an answer of the server.

        Raises `Busy`, and what `connect` raises; a driver's errors within are translated.
        """
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._places.acquire()
        except TimeoutError:
            raise Busy("all connections are in use") from None
        self.in_use += 1
        connection: OneStatement | None = None
        keep = False
        try:
            connection = self._kept() or await self._connect()
            yield connection
            keep = True
        except BaseException as error:
            meant = translated(error)
            keep = isinstance(meant, Refusal)
            if meant is error:
                raise
            raise meant from error
        finally:
            self._take_back(connection, keep=keep)

    def close(self) -> None:
        """Close what waits; what is in use is closed when it comes back broken."""
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> OneStatement | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return None

    def _take_back(self, connection: OneStatement | None, *, keep: bool) -> None:
        self.in_use -= 1
        self._places.release()
        if connection is None:
            return
        if keep and connection.usable:
            self._idle.append(connection)
        else:
            connection.close()
