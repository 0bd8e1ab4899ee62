"""Refuses a request for its keys in the words, and with the status, of the service it called.

Clients tell keys that expired from wrong ones by nothing else, so the shapes are those of AWS.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from labctl.cloud.keys import Verdict

_INVALID = "The security token included in the request is invalid."
_EXPIRED = "The security token included in the request is expired"


@dataclass(frozen=True)
class Denial:
    """An error answer."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def denial(verdict: Verdict, service: str, headers: dict[str, str]) -> Denial:
    """Return the answer to keys that are not good; `service` is "" for a request without keys."""
    expired = verdict is Verdict.EXPIRED
    content_type = headers.get("content-type", "")
    if "x-amz-target" in headers or "json" in content_type:
        return _json(expired, service, rest="x-amz-target" not in headers)
    if service == "ec2":
        return _ec2(expired)
    if "x-www-form-urlencoded" in content_type:
        return _query(expired)
    if service in ("s3", ""):
        return _s3(expired, service)
    return _json(expired, service, rest=True)


def _json(expired: bool, service: str, *, rest: bool) -> Denial:
    if not expired:
        code, status, message = "UnrecognizedClientException", 403, _INVALID
    else:
        # Lambda and its like (REST) answer 403, DynamoDB, SSM and their like 400.
        code, status, message = "ExpiredTokenException", 403 if rest else 400, _EXPIRED
    extra = [(b"x-amzn-errortype", code.encode())]
    if expired and service == "sqs":
        # SQS spoke the query protocol once; in this header it still says what it said then.
        status = 403
        extra.append((b"x-amzn-query-error", b"ExpiredToken;Sender"))
    content = {"message": message} if rest else {"__type": code, "message": message}
    kind = "application/json" if rest else "application/x-amz-json-1.0"
    return Denial(status, kind, json.dumps(content).encode(), tuple(extra))


def _ec2(expired: bool) -> Denial:
    code, message = ("AuthFailure", _INVALID)
    if expired:
        code, message = ("RequestExpired", "Request has expired.")
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    body = f"<Response><Errors>{error}</Errors><RequestID>labctl</RequestID></Response>"
    return Denial(400 if expired else 403, "text/xml", body.encode())


def _query(expired: bool) -> Denial:
    code, message = ("ExpiredToken", _EXPIRED) if expired else ("InvalidClientTokenId", _INVALID)
    error = f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
    body = f"<ErrorResponse><Error>{error}</Error><RequestId>labctl</RequestId></ErrorResponse>"
    return Denial(403, "text/xml", body.encode())


def _s3(expired: bool, service: str) -> Denial:
    # The real one repeats the token in the body, from where it gets into logs: left out.
    code, message = ("InvalidAccessKeyId" if service else "AccessDenied", _INVALID)
    if expired:
        code, message = ("ExpiredToken", "The provided token has expired.")
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Denial(400 if expired else 403, "application/xml", error.encode())
