"""A next hop that answers as a test says and remembers what it was asked, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class NextHop:
    """What it answers, and what came."""

    url: str = ""
    status: int = 200
    answer: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)


@asynccontextmanager
async def next_hop() -> AsyncIterator[NextHop]:
    """Serve until the end of the block."""
    hop = NextHop(answer=rows(["a"], [[1]]))

    async def query(request: web.Request) -> web.Response:
        hop.asked.append(await request.json())
        return web.json_response(hop.answer, status=hop.status)

    application = web.Application()
    application.router.add_post("/query", query)
    async with TestServer(application) as server:
        hop.url = str(server.make_url("/")).rstrip("/")
        yield hop


def rows(columns: list[str], found: list[list[Any]], *, truncated: bool = False) -> dict[str, Any]:
    """Return an answer of the proxy to a read."""
    return {
        "node": "replica.0",
        "took_ms": 1.5,
        "notes": [],
        "truncated": truncated,
        "columns": columns,
        "rows": found,
    }
