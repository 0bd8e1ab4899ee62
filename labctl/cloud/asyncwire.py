"""The asyncio end of a connection that carries JSON messages and file descriptors."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from labctl.cloud.wire import Message, Wire, descriptors_sent_with, encoded


class AsyncWire:
    """Sends without ever blocking the loop; takes ownership of the socket.

    `on_message` gets what is no answer to a `call`; `on_close` is called once, after which
    every waiting call has failed with `ConnectionError`.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        on_message: Callable[[Message], None],
        on_close: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        self._wire = Wire(sock)
        self._on_message = on_message
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._ids = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Message]] = {}
        self._outgoing: deque[tuple[bytes, list[int]]] = deque()
        self.closed = False
        self._loop.add_reader(sock.fileno(), self._read)

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send a message; the descriptors are copied and stay the caller's."""
        if self.closed:
            return
        copies = [os.dup(fd) for fd in fds]
        self._outgoing.append((encoded({**message, "fds": len(fds)} if fds else message), copies))
        self._write()

    async def call(self, op: str, *, fds: Sequence[int] = (), **details: Any) -> Message:  # noqa: ANN401 - a message's values are any JSON
        """Send a request and return its answer; open files that came along are its `fds`.

        Raises `ConnectionError` when the other end is or goes away.
        """
        if self.closed:
            raise ConnectionError("the other end is gone")
        number = next(self._ids)
        answer: asyncio.Future[Message] = self._loop.create_future()
        self._calls[number] = answer
        self.send({"op": op, "id": number, **details}, fds)
        return await answer

    def close(self) -> None:
        """Close the connection; safe to call again."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._wire.fileno())
        self._loop.remove_writer(self._wire.fileno())
        for _, copies in self._outgoing:
            for fd in copies:
                os.close(fd)
        self._outgoing.clear()
        self._wire.close()
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the other end is gone"))
                answer.exception()  # whoever waits still gets it; nobody waiting is no error
        self._calls.clear()
        self._on_close()

    def _read(self) -> None:
        try:
            received = self._wire.receive()
        except (ValueError, RecursionError):
            received = None
        if received is None:
            self.close()
            return
        for message, fds in received:
            answer = self._calls.pop(message.get("id", 0), None)
            if answer is not None and not answer.done():
                answer.set_result(message | ({"fds": fds} if fds else {}))
                continue
            for fd in fds:  # nobody waits for them
                os.close(fd)
            if answer is None:
                self._on_message(message)

    def _write(self) -> None:
        try:
            while self._outgoing:
                data, fds = self._outgoing[0]
                sent = descriptors_sent_with(data, self._wire.sock, fds)
                for fd in fds:
                    os.close(fd)
                if sent == len(data):
                    self._outgoing.popleft()
                else:
                    self._outgoing[0] = (data[sent:], [])
        except (BlockingIOError, InterruptedError):
            self._loop.add_writer(self._wire.fileno(), self._write)
        except OSError:
            self._loop.call_soon(self.close)
        else:
            self._loop.remove_writer(self._wire.fileno())
