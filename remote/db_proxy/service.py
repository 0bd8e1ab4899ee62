"""The proxy's face: `POST /query`, `GET /health`, `GET /metrics`."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from db_proxy.choosing import MODES, Servers
from db_proxy.connection import Refusal, Unreachable
from db_proxy.metrics import CONTENT_TYPE, Metrics
from db_proxy.pool import Busy
from db_proxy.prober import Prober
from db_proxy.server import Server
from db_proxy.settings import Settings
from db_proxy.statements import (
    NotCommitted,
    Rows,
    Unknown,
    catches_up,
    is_position,
    read,
    write,
)
from http_runtime.answers import new_application, problem, read_object

_MOST_ASKED = 3
_MOST_QUERY_CHARACTERS = 8000
_NO_PROMOTION = "this topology promotes no replica: writes wait until it is back"


@dataclass(frozen=True)
class Asked:
    """One query; `after` is the position of a write that its answer must show."""

    mode: str
    query: str
    after: str | None


class Proxy:
    """Answers queries by the servers behind it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._servers = Servers(
            Server(settings.primary, settings),
            [Server(place, settings) for place in settings.replicas],
        )
        self._metrics = Metrics()

    def application(self) -> web.Application:
        """Return what is served."""
        application = new_application()
        application.router.add_post("/query", self._query)
        application.router.add_get("/health", self._health)
        application.router.add_get("/metrics", self._told)
        application.cleanup_ctx.append(self._looking)
        return application

    async def _looking(self, _: web.Application) -> AsyncIterator[None]:
        prober = Prober(self._servers.all)
        await prober.start()
        yield
        await prober.stop()
        for server in self._servers.all:
            server.readers.close()
            server.writers.close()

    async def _query(self, request: web.Request) -> web.Response:
        asked = _understood(await read_object(request))
        began = time.perf_counter()
        node, answer = await self._answered(asked)
        self._metrics.count(
            mode=asked.mode,
            node=node,
            status=answer.status,
            seconds=time.perf_counter() - began,
        )
        return answer

    async def _answered(self, asked: Asked) -> tuple[str, web.Response]:
        """Return which node answered, or `none`, and the answer."""
        try:
            return await (self._write(asked) if asked.mode == "write" else self._read(asked))
        except Refusal as refusal:
            return "none", problem(refusal.status, str(refusal))
        except Busy as busy:
            return "none", problem(503, str(busy))

    async def _read(self, asked: Asked) -> tuple[str, web.Response]:
        """Ask the servers of a mode in turn: a read may be sent again when one goes away."""
        notes: list[str] = []
        order = self._servers.order(asked.mode, self._limits.lag_s)
        if asked.mode == "random" and not any(not each.is_primary for each in order):
            notes.append("no replica is live and up to date")
        asking = order[:_MOST_ASKED]
        while asking:
            server = asking.pop(0)
            began = time.perf_counter()
            try:
                rows = await self._rows(server, asked)
            except Unreachable as error:
                server.found_dead(str(error))
                notes.append(f"{server.name} went away")
                continue
            if rows is None:
                waited_s = self._limits.catch_up_s
                notes.append(f"{server.name} had not caught up in {waited_s:g} s")
                asking = [self._servers.primary]  # the others are no likelier to have it by now
                continue
            server.served += 1
            return server.name, _rows_answer(server.name, rows, time.perf_counter() - began, notes)
        return "none", problem(503, self._nobody(asked.mode, notes))

    async def _rows(self, server: Server, asked: Asked) -> Rows | None:
        """Return what a server finds; None when it does not have the reader's write in time."""
        async with server.readers.connection() as connection:
            wanted = None if server.is_primary else asked.after
            if wanted and not await catches_up(connection, wanted, self._limits.catch_up_s):
                return None
            return await read(connection, asked.query, self._limits)

    async def _write(self, asked: Asked) -> tuple[str, web.Response]:
        server = self._servers.primary
        if not server.seen.live:
            return "none", problem(503, self._nobody(asked.mode, []))
        began = time.perf_counter()
        try:
            async with server.writers.connection() as connection:
                done = await write(connection, asked.query, self._limits)
        except (Unreachable, NotCommitted) as error:
            server.found_dead(str(error))
            return "none", problem(503, f"nothing was changed: {self._nobody(asked.mode, [])}")
        except Unknown as error:
            server.found_dead(str(error))
            reason = "the primary went away while it committed: read whether the change is there"
            return "none", problem(503, reason)
        server.served += 1
        told = {
            "node": server.name,
            "took_ms": _ms(time.perf_counter() - began),
            "changed": done.changed,
            "last_id": done.last_id,
            "position": done.position,
        }
        return server.name, web.json_response(told)

    def _nobody(self, mode: str, notes: list[str]) -> str:
        why = f"the primary is not live ({self._servers.primary.seen.why})"
        if mode == "write":
            return f"{why}; {_NO_PROMOTION}"
        if mode == "direct-hit":
            return f"{why}; the other modes may still read"
        return "; ".join(["no server can answer", why, *notes])

    async def _health(self, _: web.Request) -> web.Response:
        usable = self._servers.up_to_date(self._limits.lag_s)
        told = {
            each.name: {
                "live": each.seen.live,
                "used": each in usable or (each.is_primary and each.seen.live),
                "why": each.seen.why,
                "latency_ms": _ms(each.seen.latency_s),
                "lag_s": each.seen.lag_s,
                "served": each.served,
            }
            for each in self._servers.all
        }
        writes = self._servers.primary.seen.live
        ok = writes and len(usable) == len(self._servers.replicas)
        status = 200 if writes or usable else 503
        return web.json_response({"ok": ok, "writes": writes, "servers": told}, status=status)

    async def _told(self, _: web.Request) -> web.Response:
        text = self._metrics.text(self._servers.all)
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


def _understood(asked: object) -> Asked:
    assert isinstance(asked, dict), "read_object returns nothing else"
    mode, query, after = asked.get("mode"), asked.get("query"), asked.get("after") or None
    if mode not in MODES:
        raise web.HTTPBadRequest(reason=f"the mode must be one of {', '.join(MODES)}")
    if not isinstance(query, str) or not 0 < len(query) <= _MOST_QUERY_CHARACTERS:
        raise web.HTTPBadRequest(reason="the query must be text, and not too long")
    if after is not None and not is_position(after):
        raise web.HTTPBadRequest(reason="'after' must be a position such as 0-1-42")
    return Asked(mode, query, after)


def _rows_answer(node: str, rows: Rows, seconds: float, notes: list[str]) -> web.Response:
    head = {
        "node": node,
        "took_ms": _ms(seconds),
        "notes": notes,
        "truncated": rows.truncated,
        "columns": rows.columns,
    }
    # The rows are JSON already; to read them again would cost as much as the query.
    text = json.dumps(head)[:-1] + ', "rows": [' + ", ".join(rows.lines) + "]}"
    return web.Response(text=text, content_type="application/json")


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
