"""The trusted host by real HTTP: what it passes on, what it stops, whom it does not listen to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from http_runtime.settings import SettingsError
from tests.patterns.corpus import TABLES
from tests.patterns.doubles import NextHop, next_hop
from trusted_host.service import Settings, TrustedHost

Client = TestClient[Any, Any]


@pytest.fixture
async def proxy() -> AsyncIterator[NextHop]:
    async with next_hop() as hop:
        yield hop


@pytest.fixture
async def client(proxy: NextHop) -> AsyncIterator[Client]:
    host = TrustedHost(Settings("127.0.0.1", 0, proxy.url, frozenset(TABLES)))
    async with TestClient(TestServer(host.application())) as found:
        yield found


async def test_what_is_passed_on_is_what_the_guard_wrote(client: Client, proxy: NextHop) -> None:
    asked = {"mode": "random", "query": "select title from film;", "after": "0-1-2"}
    async with client.post("/query", json=asked) as answer:
        assert answer.status == 200
        assert await answer.json() == proxy.answer
    written = "SELECT `title` FROM `film` LIMIT 1001"
    assert proxy.asked == [{"mode": "random", "query": written, "after": "0-1-2"}]


async def test_what_is_refused_goes_nowhere(client: Client, proxy: NextHop) -> None:
    for mode, query in (("random", "SELECT SLEEP(1)"), ("write", "SELECT 1"), ("all", "SELECT 1")):
        async with client.post("/query", json={"mode": mode, "query": query}) as answer:
            assert answer.status == 403
            assert (await answer.json())["error"]
    assert proxy.asked == []
    async with client.get("/health") as answer:
        assert await answer.json() == {"ok": True, "accepted": 0, "refused": 3}


async def test_an_error_of_the_proxy_comes_back_as_it_is(client: Client, proxy: NextHop) -> None:
    proxy.status, proxy.answer = 503, {"error": "the primary is not live"}
    async with client.post("/query", json={"mode": "random", "query": "SELECT 1"}) as answer:
        assert (answer.status, await answer.json()) == (503, proxy.answer)


async def test_without_a_proxy_it_says_so(unused_tcp_port: int) -> None:
    gone = f"http://127.0.0.1:{unused_tcp_port}"
    host = TrustedHost(Settings("127.0.0.1", 0, gone, frozenset(TABLES)))
    async with (
        TestClient(TestServer(host.application())) as client,
        client.post("/query", json={"mode": "random", "query": "SELECT 1"}) as answer,
    ):
        assert answer.status == 502


@pytest.fixture
async def unused_tcp_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {}, 400),
        (b"[]", {}, 400),
        (b"{", {}, 400),
        (b"\xff", {}, 400),
        (b"[" * 10000, {}, 400),
        (b'{"mode": "random", "query": 5}', {}, 400),
        (b'{"mode": ["random"], "query": "SELECT 1"}', {}, 400),
        (b'{"mode": "random", "query": "SELECT 1", "sql": "DROP"}', {}, 400),
        (b'{"a": "' + b"a" * 20000 + b'"}', {}, 413),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": "application/json; charset=nowhere"}, 400),
        (b"{}", {"Origin": "http://evil.example"}, 403),
        (b"{}", {"Origin": "null"}, 403),
        (b"{}", {"Sec-Fetch-Site": "cross-site"}, 403),
        (b"{}", {"Host": "evil.example"}, 403),
        (b"{}", {"Host": "evil.example:8080"}, 403),
    ],
    ids=lambda value: ascii(value)[:40],
)
async def test_odd_requests_get_an_answer_in_one_line(
    client: Client, proxy: NextHop, body: bytes, headers: dict[str, str], status: int
) -> None:
    sent = {"Content-Type": "application/json", **headers}
    async with client.post("/query", data=body, headers=sent) as answer:
        assert answer.status == status
        assert (await answer.json())["error"].isprintable()
    assert proxy.asked == []


@pytest.mark.parametrize("missing", ["LISTEN", "PROXY", "TABLES"])
def test_what_the_environment_lacks_is_named(missing: str) -> None:
    environment = {"LISTEN": "127.0.0.1", "PROXY": "http://127.0.0.1:1", "TABLES": "film"}
    del environment[missing]
    with pytest.raises(SettingsError, match=missing):
        Settings.from_environment(environment)
