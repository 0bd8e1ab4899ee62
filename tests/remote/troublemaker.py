"""A proxy before a real server that refuses, breaks or lets through, as a test tells it."""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.remote.aws import Server

Trouble = Literal["pass", "drop", "drop-answer", "throttle", "expire", "half"]
# Told the operation ("SendMessageBatch", "PUT"), how often it was called, and the access key.
Judge = Callable[[str, int, str], Trouble]

_KEY = re.compile(r"Credential=([^/]+)/")


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        target = self.headers.get("X-Amz-Target", "")
        return target.rpartition(".")[2] or self.method

    @property
    def key(self) -> str:
        found = _KEY.search(self.headers.get("Authorization", ""))
        return found.group(1) if found else ""


class Troublemaker:
    """What the proxy does: `judge` decides, `calls` counts by operation, `troubles` by kind."""

    def __init__(self, server: Server) -> None:
        self.judge: Judge = lambda operation, count, key: "pass"
        self.calls: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()
        self._upstream = urlsplit(server.url)
        self._lock = threading.Lock()

    def decide(self, request: _Request) -> Trouble:
        with self._lock:
            self.calls[request.operation] += 1
            trouble = self.judge(request.operation, self.calls[request.operation], request.key)
            self.troubles[trouble] += 1
            return trouble

    def forward(self, request: _Request) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = http.client.HTTPConnection(self._upstream.netloc, timeout=60)
        try:
            upstream.request(request.method, request.path, request.body, request.headers)
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            upstream.close()


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A killed worker leaves its connections in the middle; that is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as given


@contextmanager
def troublemaker(server: Server) -> Iterator[tuple[Troublemaker, Server]]:
    """Run a proxy before a server and return it with the endpoint it makes."""
    maker = Troublemaker(server)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            request = _Request(
                self.command, self.path, dict(self.headers.items()), self.rfile.read(length)
            )
            trouble = maker.decide(request)
            if trouble == "drop":
                self.close_connection = True
            elif trouble in ("throttle", "expire"):
                self._answer(400, [], _refusal(request, trouble))
            else:
                passed = _first_half(request) if trouble == "half" else request
                status, headers, body = maker.forward(passed)
                if trouble == "half":
                    body = _rest_failed(request, body)
                if trouble == "drop-answer":
                    self.close_connection = True
                else:
                    self._answer(status, headers, body)

        do_GET = do_PUT = do_DELETE = do_HEAD = do_POST  # noqa: N815 - names that http.server asks for

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base's
            pass

    proxy = _Proxy(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield maker, Server(f"http://127.0.0.1:{proxy.server_address[1]}", server.flavour)
    finally:
        proxy.shutdown()
        thread.join(10)
        proxy.server_close()


def _refusal(request: _Request, trouble: Trouble) -> bytes:
    code = "ThrottlingException" if trouble == "throttle" else "ExpiredTokenException"
    if request.headers.get("X-Amz-Target"):
        return json.dumps({"__type": code, "message": "not now"}).encode()
    s3 = "SlowDown" if trouble == "throttle" else "ExpiredToken"
    return f"<Error><Code>{s3}</Code><Message>not now</Message></Error>".encode()


def _first_half(request: _Request) -> _Request:
    asked = json.loads(request.body)
    asked["Entries"] = asked["Entries"][: (len(asked["Entries"]) + 1) // 2]
    body = json.dumps(asked).encode()
    headers = {**request.headers, "Content-Length": str(len(body))}
    return _Request(request.method, request.path, headers, body)


def _rest_failed(request: _Request, answered: bytes) -> bytes:
    entries = json.loads(request.body)["Entries"]
    rest = entries[(len(entries) + 1) // 2 :]
    answer = json.loads(answered)
    answer["Failed"] = [
        {"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in rest
    ]
    return json.dumps(answer).encode()
