"""The trusted host's face: takes a query, lets the guard decide, and passes on what it wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from http_runtime.answers import new_application, problem, read_object
from http_runtime.settings import SettingsError, listed, number, text
from trusted_host.guard import Refused, decide

_PROXY_WITHIN_S = 8.0
_CONNECTIONS = 64
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
        self._settings = settings
        self._client: aiohttp.ClientSession | None = None
        self._accepted = 0
        self._refused = 0

    def application(self) -> web.Application:
        """Return what is served."""
        application = new_application()
        application.router.add_post("/query", self._query)
        application.router.add_get("/health", self._health)
        application.cleanup_ctx.append(self._connected)
        return application

    async def _connected(self, _: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=_PROXY_WITHIN_S, connect=2)
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=60)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:
            self._client = client
            yield

    async def _query(self, request: web.Request) -> web.Response:
        asked = await read_object(request)
        if unknown := asked.keys() - {"mode", "query", "after"}:
            return problem(400, f"unknown fields: {ascii(sorted(unknown))[:100]}")
        decision = decide(asked.get("query"), asked.get("mode"), tables=self._settings.tables)
        if isinstance(decision, Refused):
            self._refused += 1
            return problem(403, decision.reason)
        self._accepted += 1
        return await self._pass_on({**asked, "query": decision.sql})

    async def _pass_on(self, asked: Mapping[str, object]) -> web.Response:
        assert self._client is not None, "the application was set up"
        try:
            async with self._client.post(f"{self._settings.proxy}/query", json=asked) as answer:
                body = await answer.read()
                return web.Response(status=answer.status, body=body, headers=_JSON)
        except TimeoutError:
            return problem(504, "the proxy did not answer in time")
        except aiohttp.ClientError:
            return problem(502, "the proxy cannot be reached")

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True, "accepted": self._accepted, "refused": self._refused})
