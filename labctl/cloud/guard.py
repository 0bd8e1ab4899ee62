"""Stands before the emulator: refuses web pages of other sites and calls without our keys.

Without it any page open in a browser could create and run functions through the emulator.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

from labctl.cloud.denials import Denial, denial
from labctl.cloud.keys import Keys, Verdict

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# What a lab's own visitors call from browsers, without keys: a deployed API, a load balancer.
_OPEN_PATHS = ("/_aws/execute-api/", "/restapis/", "/_alb/")
_HEALTH_PATHS = ("/_ministack/health", "/_ministack/ready")
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/[^/]*/[^/]*/([^/,\s]*)")


def guarded(app: App, keys: Keys) -> App:
    """Return the app behind the guard, which lets `keys` judge who calls."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        path = scope["path"]
        reason = _foreign(path, headers)
        if reason:
            body = f"labctl: refused ({reason})\n".encode()
            await _refuse(scope, send, Denial(403, "text/plain", body))
            return
        if not (path.startswith(_OPEN_PATHS) or path in _HEALTH_PATHS):
            key, token, service = _credential(scope, headers)
            verdict = keys.judge(key, token)
            if verdict is not Verdict.GOOD:
                await _refuse(scope, send, denial(verdict, service, headers))
                return
        await app(scope, receive, send)

    return serve


def _foreign(path: str, headers: dict[str, str]) -> str:
    """Return why a request looks like another web site's doing; empty when it does not."""
    host = headers.get("host", "").lower()
    name = re.sub(r":\d+$", "", host)
    if name not in ("127.0.0.1", "localhost", "[::1]") and not name.endswith(".localhost"):
        return "the Host header names another machine"
    if path.startswith(_OPEN_PATHS) or path in _HEALTH_PATHS:
        return ""
    if "origin" in headers:
        return "it comes from a web page"
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "it comes from another site"
    return ""


def _credential(scope: Scope, headers: dict[str, str]) -> tuple[str, str, str]:
    """Return access key id, token and service that a request was signed with and for."""
    match = _CREDENTIAL.search(headers.get("authorization", ""))
    if match:
        return match[1], headers.get("x-amz-security-token", ""), match[2]
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    token = _first(query, "X-Amz-Security-Token", "x-amz-security-token")
    signed = _first(query, "X-Amz-Credential", "x-amz-credential").split("/")
    if signed[0]:
        return signed[0], token, signed[3] if len(signed) > 3 else ""
    key = _first(query, "AWSAccessKeyId")
    return key, token, "s3" if key else ""


def _first(query: dict[str, list[str]], *names: str) -> str:
    return next((query[name][0] for name in names if name in query), "")


async def _refuse(scope: Scope, send: Send, answer: Denial) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        # The emulator dates its own answers; by it a client tells a wrong clock from expired keys.
        (b"date", formatdate(usegmt=True).encode()),
        # The body was not read: the connection cannot carry another request.
        (b"connection", b"close"),
        *answer.headers,
    ]
    body = b"" if scope["method"] == "HEAD" else answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
