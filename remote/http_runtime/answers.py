"""How every service answers: JSON, errors too, and none of it to pages of other places."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from http_runtime.log_lines import say

MOST_BODY_BYTES = 16 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def problem(status: int, reason: str) -> web.Response:
    """Return an answer that says in one line what is wrong."""
    return web.json_response({"error": reason}, status=status)


async def read_object(request: web.Request) -> Mapping[str, Any]:
    """Return the JSON object that a request holds; raises the answer to one that holds none."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(reason="send application/json")
    try:
        found = json.loads(await request.text())
    except (ValueError, LookupError, RecursionError):  # no UTF-8 or JSON, or a charset of its own
        raise web.HTTPBadRequest(reason="the body is no JSON") from None
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(reason="the body must be a JSON object")
    return found


def new_application(
    tell: Callable[[web.Request, int, str], web.Response] | None = None,
) -> web.Application:
    """Return an application with bounded bodies, whose errors are `problem`s or as `tell` says."""

    def told(request: web.Request, status: int, reason: str) -> web.Response:
        return tell(request, status, reason) if tell else problem(status, reason)

    @web.middleware
    async def fence(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return told(request, error.status, error.reason)
        except Exception as error:  # the edge of the service: a line in the log, no more
            say("failed", error=f"{type(error).__name__}: {error}"[:300], path=request.path[:100])
            return told(request, 500, "the service failed; its log says more")

    return web.Application(client_max_size=MOST_BODY_BYTES, middlewares=[fence, _guard_origin])


@web.middleware
async def _guard_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a page of another place has a browser send, under whatever name it knows us."""
    if not _is_own_name(request.host):
        raise web.HTTPForbidden(reason="asked under a foreign name")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        raise web.HTTPForbidden(reason="asked by a page of another place")
    # A link from elsewhere may lead here: what it shows, the other page cannot read.
    linked = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    where = request.headers.get("Sec-Fetch-Site", "none")
    if where not in ("none", "same-origin") and not linked:
        raise web.HTTPForbidden(reason="asked by a page of another place")
    return await handler(request)


def _is_own_name(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name == "localhost" or name.endswith(".amazonaws.com")
    return True
