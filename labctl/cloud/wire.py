"""JSON messages and file descriptors over a unix stream socket; standard library only."""

from __future__ import annotations

import array
import json
import os
import socket
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]
MAX_LINE = 64 * 2**20


def encoded(message: Message) -> bytes:
    """Return a message as it travels: one line of JSON."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def descriptors_sent_with(data: bytes, sock: socket.socket, fds: Sequence[int]) -> int:
    """Send the start of `data` together with open files; return how many bytes went."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    return sock.sendmsg([data], rights)


class Wire:
    """One end of the connection. A message with `"fds": n` brought n open files along."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = b""
        self._fds: list[int] = []

    def fileno(self) -> int:
        """Return the socket's descriptor, so that selectors take the wire itself."""
        return self.sock.fileno()

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send one message and wait until the other end's socket took it."""
        data = encoded({**message, "fds": len(fds)} if fds else message)
        sent = descriptors_sent_with(data, self.sock, fds)
        if sent < len(data):
            self.sock.sendall(data[sent:])

    def receive(self) -> list[tuple[Message, list[int]]] | None:
        """Read once and return the complete messages; None when the other end is closed.

        Raises `ValueError` on a line that is no message or that has no end.
        """
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, 2**16, 16)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        for fd in fds:
            os.set_inheritable(fd, False)
        self._fds += fds
        if not data:
            return None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > MAX_LINE:
            raise ValueError("a message without an end")
        return [self._message(line) for line in lines]

    def _message(self, line: bytes) -> tuple[Message, list[int]]:
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("a message that is no object")
        count = int(message.pop("fds", 0))
        fds, self._fds = self._fds[:count], self._fds[count:]
        return message, fds

    def close(self) -> None:
        """Close the socket and every file that came but was not taken."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []
        self.sock.close()
