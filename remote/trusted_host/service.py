"""The trusted host's face: takes a query, lets the guard decide, and passes on what it wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

from aiohttp import web

from http_runtime.answers import new_application, problem, read_object
from http_runtime.hop import Hop, NoAnswer
from http_runtime.settings import SettingsError, listed, number, text
from trusted_host.guard import Refused, decide

_PROXY_WITHIN_S = 8.0
_REMEMBERED = 1024  # decisions, of a few KB each at most
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Settings:
    """Where the trusted host listens, whom it passes on to, which tables there are."""

    address: str
    port: int
    proxy: str  # URL
    tables: frozenset[str]

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Settings:
        """Read LISTEN, PORT, PROXY and TABLES; raises `SettingsError`."""
        tables = frozenset(listed(environment, "TABLES"))
        if not tables:
            raise SettingsError("not set in the environment: TABLES")
        return Settings(
            address=text(environment, "LISTEN"),
            port=int(number(environment, "PORT", 8080, most=65535)),
            proxy=text(environment, "PROXY").rstrip("/"),
            tables=tables,
        )


class TrustedHost:
    """Answers `POST /query` and `GET /health`."""

    def __init__(self, settings: Settings) -> None:
        self._proxy = Hop(settings.proxy, name="the proxy", within_s=_PROXY_WITHIN_S)
        # The same words get the same decision, and pages ask the same things again and again.
        self._decide = lru_cache(_REMEMBERED)(partial(decide, tables=settings.tables))
        self._accepted = 0
        self._refused = 0

    def application(self) -> web.Application:
        """Return what is served."""
        application = new_application()
        application.router.add_post("/query", self._query)
        application.router.add_get("/health", self._health)
        application.on_cleanup.append(self._hang_up)
        return application

    async def _hang_up(self, _: web.Application) -> None:
        self._proxy.close()

    async def _query(self, request: web.Request) -> web.Response:
        asked = await read_object(request)
        if unknown := asked.keys() - {"mode", "query", "after"}:
            return problem(400, f"unknown fields: {ascii(sorted(unknown))[:100]}")
        query, mode = asked.get("query"), asked.get("mode")
        if not isinstance(query, str) or not isinstance(mode, str):
            return problem(400, "mode and query must be text")
        decision = self._decide(query, mode)
        if isinstance(decision, Refused):
            self._refused += 1
            return problem(403, decision.reason)
        self._accepted += 1
        return await self._pass_on({**asked, "query": decision.sql})

    async def _pass_on(self, asked: Mapping[str, object]) -> web.Response:
        try:
            status, answer = await self._proxy.ask(json.dumps(asked).encode())
        except NoAnswer as error:
            return problem(error.status, str(error))
        return web.Response(status=status, body=answer, headers=_JSON)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True, "accepted": self._accepted, "refused": self._refused})
