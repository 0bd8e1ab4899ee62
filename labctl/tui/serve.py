"""The screen in a browser on this machine, for the one person who was told the address."""

from __future__ import annotations

import hmac
import logging
import secrets
import socket
from collections.abc import Callable, Sequence
from shlex import join

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

from labctl.errors import LabctlError

ADDRESS = "127.0.0.1"
_TOKEN_BYTES = 32
_WAIT_FOR_SCREENS_S = 2.0
# The page may load nothing but what this server has (as it comes, it asks Google for a font), talk
# to nobody else, and stand in no other page.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws://{host}; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Gate:
    """Lets in the first who brings the token, and by a cookie only them from then on.

    What a web page of another origin causes the browser to ask is refused before that: by the
    Host (names that point here), the Origin (WebSockets know no same-origin policy) and what the
    browser itself says of where a request comes from.
    """

    def __init__(self, host: str) -> None:
        self.host = host  # as the browser names it: address and port
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._unused = True
        self._ticket = secrets.token_urlsafe(_TOKEN_BYTES)
        # Cookies are shared by all ports of an address: one name for each server.
        self.cookie = f"labctl-{host.rpartition(':')[2]}"

    def is_foreign(self, request: web.BaseRequest) -> bool:
        """Whether the request is for another host, or comes from another page."""
        headers = request.headers
        origin = headers.get("Origin")
        is_websocket = headers.get("Upgrade", "").lower() == "websocket"
        return (
            headers.getall("Host", []) != [self.host]
            or (origin is None and is_websocket)
            or origin not in (None, f"http://{self.host}")
            or headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        )

    def knows(self, request: web.BaseRequest) -> bool:
        """Whether the request carries the cookie."""
        return _same(request.cookies.get(self.cookie, ""), self._ticket)

    def spend(self, token: str) -> bool:
        """Take the token in payment for the cookie; it is good once."""
        if not (self._unused and _same(token, self.token)):
            return False
        self._unused = False
        return True

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse, or hand on."""
        token = request.query.get("token") if request.path == "/" else None
        if self.is_foreign(request):
            raise web.HTTPForbidden(text="not from here\n")
        if self.knows(request):
            return self._cleaned() if token else await handler(request)
        if token is None or not self.spend(token):
            raise web.HTTPForbidden(text="labctl serve prints an address that is good once\n")
        answer = self._cleaned()
        answer.set_cookie(self.cookie, self._ticket, httponly=True, samesite="Strict", path="/")
        return answer

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Tell the browser what the page may do; on every answer, refusals too."""
        response.headers["Content-Security-Policy"] = _POLICY.format(host=self.host)
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"

    @staticmethod
    def _cleaned() -> web.Response:
        """Return the way to the page without the token, so that no history keeps it."""
        return web.Response(status=303, headers={"Location": "/"})


class ScreenServer(Server):
    """Textual's server behind a gate, on a socket that only this machine reaches."""

    def __init__(self, command: Sequence[str], *, port: int = 0) -> None:
        self.socket = _listening(port)
        number = self.socket.getsockname()[1]
        super().__init__(join(command), host=ADDRESS, port=number, title="labctl")
        self.public_url = f"http://{ADDRESS}:{number}"
        self.gate = Gate(f"{ADDRESS}:{number}")

    @property
    def address(self) -> str:
        """The address that is good once."""
        return f"{self.public_url}/?token={self.gate.token}"

    async def make_app(self) -> web.Application:
        """Return the application with the gate before everything."""
        app = await super()._make_app()
        app.middlewares.insert(0, self.gate.guard)
        app.on_response_prepare.append(self.gate.mark)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: what is to be said, the command says."""

    def serve_until_stopped(self, say: Callable[[str], None]) -> None:
        """Say the address, once, and serve until Ctrl-C or SIGTERM."""
        _tell_without_tracebacks()
        say(self.address)
        web.run_app(
            self.make_app(),
            sock=self.socket,
            access_log=None,  # it would keep the token
            print=None,
            shutdown_timeout=_WAIT_FOR_SCREENS_S,
        )


def _same(given: str, true: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), true.encode())


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((ADDRESS, port))
    except OSError as error:
        raise LabctlError(
            f"port {port} cannot be used: {error.strerror}", "without --port a free one is taken"
        ) from error


def _tell_without_tracebacks() -> None:
    log = logging.getLogger("textual-serve")
    log.propagate = False
    handler = logging.StreamHandler()
    handler.addFilter(_forget_the_traceback)
    log.addHandler(handler)


def _forget_the_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True
