"""Looks at every server again and again: is it there, how fast, how far behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from asyncmy.cursors import DictCursor

from db_proxy.connection import OneStatement, translated
from db_proxy.server import Server
from http_runtime.log_lines import say

EVERY_S = 0.5
_WITHIN_S = 1.0


class Prober:
    """Keeps what is known of the servers fresh; it never ends by itself, whatever they do."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Look at each server once, then go on doing so in the background."""
        looks = [_Look(server) for server in self._servers]
        await asyncio.gather(*(look.once() for look in looks))
        self._tasks = [asyncio.create_task(look.forever()) for look in looks]

    async def stop(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Look:
    """The looks at one server, over a connection of their own."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection: OneStatement | None = None

    async def forever(self) -> None:
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                await self.once()
        finally:
            self._hang_up()

    async def once(self) -> None:
        before = self._server.seen.live
        try:
            async with asyncio.timeout(_WITHIN_S + EVERY_S):
                await self._look()
        except Exception as error:  # the edge of a look: whatever it is, the server is left out
            self._hang_up()
            self._server.found_dead(str(translated(error)) or type(error).__name__)
        if self._server.seen.live != before:
            state = "live" if self._server.seen.live else "left_out"
            say(state, server=self._server.name, why=self._server.seen.why or None)

    async def _look(self) -> None:
        connection = self._connection
        if connection is None:
            connection = self._connection = await self._server.monitoring()
        cursor = connection.cursor(DictCursor)
        began = time.perf_counter()
        await cursor.execute("SELECT 1")
        latency_s = time.perf_counter() - began
        if self._server.is_primary:
            self._server.found_live(latency_s, lag_s=None, cut_off=False)
            return
        await cursor.execute("SHOW REPLICA STATUS")
        status = await cursor.fetchone()
        if not status or status["Slave_SQL_Running"] != "Yes":
            self._server.found_dead("it does not apply what its primary writes")
            return
        cut_off = status["Slave_IO_Running"] != "Yes"
        lag = status["Seconds_Behind_Master"]
        lag_s = None if lag is None or cut_off else float(lag)
        self._server.found_live(latency_s, lag_s=lag_s, cut_off=cut_off)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
