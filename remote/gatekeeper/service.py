"""The gatekeeper's face: the pages `/read` and `/write`, and `POST /query` for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from gatekeeper import pages
from gatekeeper.pages import Form
from gatekeeper.tokens import COOKIE, Tokens
from http_runtime.answers import new_application, problem, read_object
from http_runtime.hop import Hop, NoAnswer
from http_runtime.settings import number, text

_TRUSTED_WITHIN_S = 10.0
_STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # With no-referrer a browser would send forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Settings:
    """Where the gatekeeper listens and whom it passes on to."""

    address: str
    port: int
    trusted: str  # URL

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Settings:
        """Read LISTEN, PORT and TRUSTED; raises `SettingsError`."""
        return Settings(
            address=text(environment, "LISTEN"),
            port=int(number(environment, "PORT", 8080, most=65535)),
            trusted=text(environment, "TRUSTED").rstrip("/"),
        )


class Gatekeeper:
    """Shows pages and passes queries on; what is allowed, the trusted host decides."""

    def __init__(self, settings: Settings) -> None:
        self._trusted = Hop(settings.trusted, name="the trusted host", within_s=_TRUSTED_WITHIN_S)
        self._tokens = Tokens()

    def application(self) -> web.Application:
        """Return what is served."""
        application = new_application(_told)
        router = application.router
        router.add_get("/", self._home)
        router.add_get("/style.css", self._style)
        router.add_get("/read", self._read_page)
        router.add_post("/read", self._read)
        router.add_get("/write", self._write_page)
        router.add_post("/write", self._write)
        router.add_post("/query", self._query)
        application.on_response_prepare.append(_harden)
        application.on_cleanup.append(self._hang_up)
        return application

    async def _hang_up(self, _: web.Application) -> None:
        self._trusted.close()

    async def _home(self, _: web.Request) -> web.Response:
        return web.Response(status=303, headers={"Location": "/read"})

    async def _style(self, _: web.Request) -> web.Response:
        return web.Response(text=_STYLE, content_type="text/css")

    async def _read_page(self, request: web.Request) -> web.Response:
        form = Form(after=request.query.get("after", "")[:60])
        return _page("Read", "/read", pages.read_form(form))

    async def _read(self, request: web.Request) -> web.Response:
        sent = await request.post()
        form = Form(_field(sent, "query"), _field(sent, "mode"), _field(sent, "after").strip())
        if form.mode not in pages.READ_MODES:
            told = pages.refusal(f"the mode must be one of {', '.join(pages.READ_MODES)}")
            return _page("Not read", "/read", told, pages.read_form(form), status=400)
        asked = {"mode": form.mode, "query": form.query, "after": form.after or None}
        began = time.perf_counter()
        status, answer = await self._ask(asked)
        total_ms = (time.perf_counter() - began) * 1000
        if status != 200:
            told = pages.refusal(str(answer.get("error")))
            return _page("Not read", "/read", told, pages.read_form(form), status=status)
        found = pages.rows_found(answer, total_ms)
        return _page("What was found", "/read", found, pages.read_form(form))

    async def _write_page(self, request: web.Request) -> web.Response:
        return self._writing(request, "Write", Form())

    async def _write(self, request: web.Request) -> web.Response:
        sent = await request.post()
        form = Form(_field(sent, "query"))
        if not self._tokens.holds(request.cookies.get(COOKIE), sent.get("token")):
            told = pages.refusal("this form is not from here, or too old: send it again")
            return self._writing(request, "Not written", form, told, status=403)
        began = time.perf_counter()
        status, answer = await self._ask({"mode": "write", "query": form.query})
        total_ms = (time.perf_counter() - began) * 1000
        if status != 200:
            told = pages.refusal(str(answer.get("error")))
            return self._writing(request, "Not written", form, told, status=status)
        return self._writing(request, "Written", Form(), pages.change_done(answer, total_ms))

    def _writing(
        self, request: web.Request, title: str, form: Form, told: str = "", *, status: int = 200
    ) -> web.Response:
        """Return the page of writing, with a token for whoever asks."""
        visitor = self._tokens.visitor(request.cookies.get(COOKIE))
        asking = pages.write_form(form, self._tokens.token(visitor))
        response = _page(title, "/write", told, asking, status=status)
        response.set_cookie(COOKIE, visitor, httponly=True, samesite="Strict", path="/")
        return response

    async def _query(self, request: web.Request) -> web.Response:
        status, answer = await self._ask(await read_object(request))
        return web.json_response(answer, status=status)

    async def _ask(self, asked: Mapping[str, object]) -> tuple[int, dict[str, Any]]:
        try:
            status, answer = await self._trusted.ask(json.dumps(asked).encode())
            return status, json.loads(answer)
        except NoAnswer as error:
            return error.status, {"error": str(error)}
        except ValueError:
            return 502, {"error": "the trusted host answered with what is no JSON"}


def _page(title: str, place: str, *parts: str, status: int = 200) -> web.Response:
    text = pages.page(title, place, *parts)
    return web.Response(text=text, status=status, content_type="text/html")


def _field(sent: Mapping[str, object], name: str) -> str:
    value = sent.get(name, "")
    return value if isinstance(value, str) else ""  # a file is no query


def _told(request: web.Request, status: int, reason: str) -> web.Response:
    if "text/html" in request.headers.get("Accept", ""):
        return _page("Not done", "", pages.refusal(reason), status=status)
    return problem(status, reason)


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
