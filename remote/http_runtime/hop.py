"""Asks the next hop over connections that are kept: for services that speak to each other only.

A general HTTP client costs three times what the rest of a hop does. Ours answer with a length,
never with redirects, cookies or compression; whatever else comes is no answer.
"""

from __future__ import annotations

import asyncio
import re
import time
from urllib.parse import urlsplit

_CONNECT_S = 2.0
_IDLE_S = 30.0  # the servers keep a connection for longer
_MOST_OPEN = 64
_MOST_BYTES = 8_000_000
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NoAnswer(Exception):
    """The next hop gave no answer; `status` is what to tell whoever asked."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Hop:
    """The next hop at an URL such as `http://10.0.0.7:8080`; `name` is what reasons call it."""

    def __init__(self, url: str, *, name: str, within_s: float) -> None:
        place = urlsplit(url)
        self._host, self._port = place.hostname or "", place.port or 80
        self._name, self._within_s = name, within_s
        self._head = (
            f"POST /query HTTP/1.1\r\nHost: {place.netloc}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self._idle: list[tuple[float, Streams]] = []
        self._places = asyncio.Semaphore(_MOST_OPEN)

    async def ask(self, body: bytes) -> tuple[int, bytes]:
        """Send a body to `/query` once, and return status and answer; raises `NoAnswer`."""
        try:
            async with asyncio.timeout(self._within_s), self._places:
                streams = self._kept() or await self._connected()
                try:
                    status, answer, keep = await self._exchanged(streams, body)
                except BaseException:
                    streams[1].close()
                    raise
        except TimeoutError:
            raise NoAnswer(504, f"{self._name} did not answer in time") from None
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            raise NoAnswer(502, f"{self._name} broke off before it answered") from None
        if keep:
            self._idle.append((time.monotonic(), streams))
        else:
            streams[1].close()
        return status, answer

    def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.pop()[1][1].close()

    def _kept(self) -> Streams | None:
        while self._idle:
            since, (reader, writer) = self._idle.pop()
            if not reader.at_eof() and time.monotonic() - since < _IDLE_S:
                return reader, writer
            writer.close()
        return None

    async def _connected(self) -> Streams:
        try:
            async with asyncio.timeout(_CONNECT_S):
                return await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError):
            raise NoAnswer(502, f"{self._name} cannot be reached") from None

    async def _exchanged(self, streams: Streams, body: bytes) -> tuple[int, bytes, bool]:
        reader, writer = streams
        writer.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        head = await reader.readuntil(b"\r\n\r\n")
        status, length = _STATUS.match(head), _LENGTH.search(head)
        if status is None or length is None or int(length[1]) > _MOST_BYTES:
            raise ValueError("this is no answer of a service")
        return int(status[1]), await reader.readexactly(int(length[1])), not _CLOSE.search(head)
