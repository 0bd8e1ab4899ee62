"""This machine's public address: asked once, refused when the answer is no address."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from labctl.errors import TargetError
from labctl.targets.addresses import public_address


@contextmanager
def service(answer: bytes, status: int = 200) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "cidr"),
    [(b"203.0.113.7\n", "203.0.113.7/32"), (b"2001:db8::7", "2001:db8::7/128")],
)
def test_the_answer_becomes_a_network_of_one(answer: bytes, cidr: str) -> None:
    with service(answer) as url:
        assert public_address(url) == cidr


@pytest.mark.parametrize("answer", [b"<html>log in</html>", b"", b"0.0.0.0/0", b"\xff" * 500])
def test_anything_else_is_refused_with_a_way_out(answer: bytes) -> None:
    with service(answer) as url, pytest.raises(TargetError) as caught:
        public_address(url)
    assert "from: 203.0.113.7/32" in caught.value.hint


def test_an_error_page_is_no_answer() -> None:
    with service(b"203.0.113.7", status=500) as url, pytest.raises(TargetError):
        public_address(url)


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with service(b"203.0.113.7") as url:
        assert public_address(url) == "203.0.113.7/32"


def test_silence_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TargetError):
            public_address(url, timeout_s=0.2)
