"""Stands before the emulator: refuses web pages of other sites and calls without our keys.

Without it any page open in a browser could create and run functions through the emulator.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# What a lab's own visitors call from browsers, without keys: a deployed API, a load balancer.
_OPEN_PATHS = ("/_aws/execute-api/", "/restapis/", "/_alb/")
_HEALTH_PATHS = ("/_ministack/health", "/_ministack/ready")
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/[^/]*/[^/]*/([^/,\s]*)")
_MESSAGE = "The security token included in the request is invalid."


def guarded(app: App, *, root_key: str) -> App:
    """Return the app behind the guard; `root_key` is the access key id that may do everything."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        reason = _foreign(scope["path"], headers)
        if reason:
            await _refuse(scope, send, 403, "text/plain", f"labctl: refused ({reason})\n".encode())
        elif not _has_key(scope, headers, root_key):
            kind, body, extra = _denial(scope, headers)
            await _refuse(scope, send, 403, kind, body, extra)
        else:
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


def _has_key(scope: Scope, headers: dict[str, str], root_key: str) -> bool:
    path = scope["path"]
    if path.startswith(_OPEN_PATHS) or path in _HEALTH_PATHS:
        return True
    key, _ = _credential(scope, headers)
    return bool(key) and (key == root_key or _issued(key))


def _credential(scope: Scope, headers: dict[str, str]) -> tuple[str, str]:
    """Return the access key id and the service that a request was signed for."""
    match = _CREDENTIAL.search(headers.get("authorization", ""))
    if match:
        return match[1], match[2]
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    signed = query.get("X-Amz-Credential", query.get("x-amz-credential", [""]))[0].split("/")
    if signed[0]:
        return signed[0], signed[3] if len(signed) > 3 else ""
    key = query.get("AWSAccessKeyId", [""])[0]
    return key, "s3" if key else ""


def _issued(key: str) -> bool:
    """Tell whether the emulator itself gave out this key, by STS or IAM."""
    sts = sys.modules.get("ministack.services.sts")
    if sts is not None and key in sts._sessions:
        return True
    iam = sys.modules.get("ministack.services.iam")
    if iam is None:
        return False
    return any(
        stored == key and record.get("Status") == "Active"
        for (_, stored), record in iam._access_keys._data.items()
    )


def _denial(scope: Scope, headers: dict[str, str]) -> tuple[str, bytes, list[tuple[bytes, bytes]]]:
    """Return content type, body and headers of the error as the service would put it."""
    _, service = _credential(scope, headers)
    content_type = headers.get("content-type", "")
    if "x-amz-target" in headers or "json" in content_type:
        code = "UnrecognizedClientException"
        body = json.dumps({"__type": code, "message": _MESSAGE}).encode()
        return "application/x-amz-json-1.0", body, [(b"x-amzn-errortype", code.encode())]
    if service == "ec2":
        return "text/xml", _ec2_denial(), []
    if "x-www-form-urlencoded" in content_type:
        error = f"<Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>{_MESSAGE}"
        body = f"<ErrorResponse>{error}</Message></Error></ErrorResponse>".encode()
        return "text/xml", body, []
    if service in ("s3", ""):
        code = "InvalidAccessKeyId" if service else "AccessDenied"
        error = f"<Error><Code>{code}</Code><Message>{escape(_MESSAGE)}</Message></Error>"
        return "application/xml", error.encode(), []
    code = "UnrecognizedClientException"
    body = json.dumps({"message": _MESSAGE}).encode()
    return "application/json", body, [(b"x-amzn-errortype", code.encode())]


def _ec2_denial() -> bytes:
    error = f"<Error><Code>AuthFailure</Code><Message>{_MESSAGE}</Message></Error>"
    return f"<Response><Errors>{error}</Errors><RequestID>labctl</RequestID></Response>".encode()


async def _refuse(
    scope: Scope,
    send: Send,
    status: int,
    content_type: str,
    body: bytes,
    extra: list[tuple[bytes, bytes]] | None = None,
) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        # The body was not read: the connection cannot carry another request.
        (b"connection", b"close"),
        *(extra or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
