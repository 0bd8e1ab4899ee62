"""Tells the nodes of a cluster that is down how far each had come, at the port of the server.

A node that has no server running answers there with one line; a server answers with its own
greeting. So nodes that all start at once can agree on the one that begins, with the newest data.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

_MARK = b"labctl position "
_ANSWER_S = 2.0
_LOOK_S = 0.1
_LONGEST = 200


@dataclass(frozen=True, order=True)
class Position:
    """How far a node had come; the highest has the newest data. -1: it never had any."""

    sequence: int
    safe: bool  # it was the last to leave, in order


Answer = Position | Literal["up"] | None


def ask_position(address: str, port: int, *, as_node: str) -> Answer:
    """Return a node's position, "up" when its server answers, None when nothing does.

    It can tell by the address that it was `as_node` who asked.
    """
    try:
        with (
            socket.create_connection((address, port), _ANSWER_S, (as_node, 0)) as sock,
            sock.makefile("rb") as file,
        ):
            line = file.readline(_LONGEST)
    except OSError:
        return None
    if not line.startswith(_MARK):
        return "up" if line else None
    sequence, safe = line.removeprefix(_MARK).split()
    return Position(int(sequence), safe == b"1")


@contextmanager
def telling_position(address: str, port: int, position: Position) -> Iterator[Set[str]]:
    """Answer those who ask while the block runs; the port is free again afterwards.

    The block gets the addresses of those who were told, which grow.
    """
    line = _MARK + f"{position.sequence} {int(position.safe)}\n".encode()
    ended = threading.Event()
    told: set[str] = set()
    with socket.create_server((address, port)) as listener:
        listener.settimeout(_LOOK_S)
        thread = threading.Thread(target=_tell, args=(listener, line, told, ended), daemon=True)
        thread.start()
        try:
            yield told
        finally:
            ended.set()
            thread.join()


def _tell(listener: socket.socket, line: bytes, told: set[str], ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            sock, (asker, _) = listener.accept()
            with sock:
                sock.sendall(line)
        except OSError:  # nobody asked for a while, or who asked is gone
            continue
        told.add(asker)
