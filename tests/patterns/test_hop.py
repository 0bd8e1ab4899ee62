"""The client between the services, on real connections: kept, dropped, broken off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from http_runtime.hop import Hop, NoAnswer

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno"


class Peer:
    """Answers each request with the same bytes, and counts who connected."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.connections = answer, 0
        self.url = ""
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
                await reader.readexactly(size)
                writer.write(self.answer)
                if self.answer not in (GOOD, b""):
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()


@asynccontextmanager
async def peer(answer: bytes) -> AsyncIterator[Peer]:
    found = Peer(answer)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield found
    server.close()
    for writer in found.writers:
        writer.close()
    await server.wait_closed()


def hop(url: str, within_s: float = 10.0) -> Hop:
    return Hop(url, name="the next hop", within_s=within_s)


async def test_a_connection_is_kept_for_the_next_question() -> None:
    async with peer(GOOD) as other:
        asking = hop(other.url)
        for _ in range(3):
            assert await asking.ask(b"{}") == (200, b"ok")
        assert other.connections == 1
        await asyncio.gather(*(asking.ask(b"{}") for _ in range(100)))
        assert other.connections <= 64
        asking.close()


async def test_one_that_the_other_closed_is_not_used_again() -> None:
    async with peer(CLOSING) as other:
        asking = hop(other.url)
        assert [await asking.ask(b"{}") for _ in range(3)] == [(503, b"no")] * 3
        assert other.connections == 3
    async with peer(GOOD) as other:
        asking = hop(other.url)
        await asking.ask(b"{}")
        other.writers[0].close()
        await other.writers[0].wait_closed()
        await _until(lambda: asking._idle[0][1][0].at_eof())
        assert await asking.ask(b"{}") == (200, b"ok")
        asking.close()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"x" * 200_000 + b"\r\n\r\n",
    ],
    ids=lambda answer: ascii(answer)[:50],
)
async def test_what_is_no_answer_is_said(answer: bytes) -> None:
    async with peer(answer) as other:
        with pytest.raises(NoAnswer, match="broke off") as caught:
            await hop(other.url).ask(b"{}")
    assert caught.value.status == 502


async def test_silence_ends_in_time() -> None:
    async with peer(b"") as other:
        with pytest.raises(NoAnswer, match="in time") as caught:
            await hop(other.url, within_s=0.2).ask(b"{}")
    assert caught.value.status == 504


async def test_nobody_there_is_said() -> None:
    async with peer(GOOD) as other:
        url = other.url
    with pytest.raises(NoAnswer, match="cannot be reached") as caught:
        await hop(url).ask(b"{}")
    assert caught.value.status == 502
