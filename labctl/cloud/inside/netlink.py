"""Sets up network links, addresses and routes by netlink, so that no `ip` program is needed."""

from __future__ import annotations

import os
import socket
import struct
from types import TracebackType

_NEW_LINK, _DELETE_LINK, _NEW_ADDRESS, _NEW_ROUTE, _DELETE_ROUTE = 16, 17, 20, 24, 25
_REQUEST, _ACKNOWLEDGE, _CREATE, _EXCLUSIVE = 1, 4, 0x400, 0x200
_ERROR = 2
_NESTED = 0x8000
_UP = 1
_MAIN_TABLE, _STATIC, _UNICAST = 254, 4, 1
_UNIVERSE, _ON_LINK = 0, 253


class Netlink:
    """A connection to the kernel about the network that this process is in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._number = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def add_pair(self, name: str, *, peer: str, peer_pid: int) -> None:
        """Make a pair of links: one here, the other in the network of a process."""
        there = _link(0) + _text(3, peer) + _attribute(19, struct.pack("I", peer_pid))
        info = _text(1, "veth") + _attribute(2 | _NESTED, _attribute(1 | _NESTED, there))
        self._ask(
            _NEW_LINK,
            _link(0) + _text(3, name) + _attribute(18 | _NESTED, info),
            flags=_CREATE | _EXCLUSIVE,
        )

    def raise_link(self, name: str, *, queue: int | None = None) -> None:
        """Switch a link on, perhaps with another length of its queue, in packets."""
        length = _attribute(13, struct.pack("I", queue)) if queue is not None else b""
        self._ask(_NEW_LINK, _link(socket.if_nametoindex(name), up=True) + length)

    def remove_link(self, name: str) -> None:
        """Remove a link; one that is not there is fine."""
        try:
            index = socket.if_nametoindex(name)
        except OSError:
            return
        self._ask(_DELETE_LINK, _link(index))

    def add_address(self, name: str, address: str) -> None:
        """Give a link an address, and the link no neighbours by that."""
        packed = socket.inet_aton(address)
        head = struct.pack("BBBBI", socket.AF_INET, 32, 0, _UNIVERSE, socket.if_nametoindex(name))
        body = head + _attribute(1, packed) + _attribute(2, packed)
        self._ask(_NEW_ADDRESS, body, flags=_CREATE | _EXCLUSIVE)

    def add_route(
        self, target: str | None, *, link: str, gateway: str | None = None, metric: int = 0
    ) -> None:
        """Send what is for one address (None: for any other) out of a link.

        Of two routes to the same target the one with the lower metric is taken.
        """
        body = _route(target, link=link, scope=_UNIVERSE if gateway else _ON_LINK)
        if gateway:
            body += _attribute(5, socket.inet_aton(gateway))
        if metric:
            body += _attribute(6, struct.pack("I", metric))
        self._ask(_NEW_ROUTE, body, flags=_CREATE | _EXCLUSIVE)

    def remove_route(self, target: str, *, link: str) -> None:
        """Send what is for one address out of a link no more."""
        self._ask(_DELETE_ROUTE, _route(target, link=link, scope=_ON_LINK))

    def _ask(self, kind: int, body: bytes, *, flags: int = 0) -> None:
        self._number += 1
        head = struct.pack(
            "IHHII", 16 + len(body), kind, _REQUEST | _ACKNOWLEDGE | flags, self._number, 0
        )
        self._socket.send(head + body)
        answer = self._socket.recv(2**16)
        _, answered, _, _, _ = struct.unpack_from("IHHII", answer)
        code = struct.unpack_from("i", answer, 16)[0]
        if answered != _ERROR or code != 0:
            raise OSError(-code, f"netlink: {os.strerror(-code)}")


def _link(index: int, *, up: bool = False) -> bytes:
    return struct.pack("BBHiII", socket.AF_UNSPEC, 0, 0, index, _UP if up else 0, _UP if up else 0)


def _route(target: str | None, *, link: str, scope: int) -> bytes:
    length = 32 if target else 0
    head = struct.pack(
        "BBBBBBBBI", socket.AF_INET, length, 0, 0, _MAIN_TABLE, _STATIC, scope, _UNICAST, 0
    )
    body = head + _attribute(4, struct.pack("I", socket.if_nametoindex(link)))
    return body + _attribute(1, socket.inet_aton(target)) if target else body


def _attribute(kind: int, value: bytes) -> bytes:
    padded = value + bytes(-len(value) % 4)
    return struct.pack("HH", 4 + len(value), kind) + padded


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")
