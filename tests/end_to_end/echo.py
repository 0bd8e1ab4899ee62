"""A service that refuses everything, and says back in its error what it was sent, spelled anew."""

from __future__ import annotations

import base64
import http.server
import itertools
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote
from xml.sax.saxutils import escape

CODES = ("AccessDenied", "ExpiredToken", "Odd", "InvalidClientTokenId")
SPELLINGS = 6
_asked = itertools.count()


class _Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        number = next(_asked)
        code, sent = CODES[number // SPELLINGS % len(CODES)], self._sent(number % SPELLINGS)
        if self.headers.get("Content-Type", "").startswith("application/x-amz-json"):
            body = json.dumps({"__type": code, "message": sent})
        else:
            said = f"<Error><Code>{code}</Code><Message>{escape(sent)}</Message></Error>"
            body = f"<ErrorResponse>{said}</ErrorResponse>"
            if b"ec2" in self.headers.get("Authorization", "").encode():
                body = f"<Response><Errors>{said}</Errors></Response>"
            elif "s3" in self.headers.get("Authorization", ""):
                body = f"<Error><Code>{code}</Code><Message>{escape(sent)}</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def _sent(self, spelling: int) -> str:
        token = self.headers.get("X-Amz-Security-Token", "")
        user = base64.b64encode(f"user:{token}".encode()).decode()
        signed = f"X-Amz-Security-Token={quote(token, safe='')}&X-Amz-Signature={'0f' * 32}"
        return (
            f"you sent {dict(self.headers)}",
            f"token {token}",
            f"no such URL: https://bucket.example/key?{signed}",
            json.dumps({"token": token}).replace("/", "\\/"),
            f"you sent Basic {user}",
            f"{'x' * 240} {token[:80]}",  # cut in half by who shortens it
        )[spelling]

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _refuse  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def echo() -> Iterator[str]:
    """Serve it in a process of its own, so that this one can fork; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    process = os.fork()
    if process == 0:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo, bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        try:
            server.serve_forever()
        finally:
            os._exit(0)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        listener.close()
