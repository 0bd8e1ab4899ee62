"""Lets pass between instances what their security groups open, by nftables over netlink.

All that belongs to a connection once let in passes, too. What is not opened is refused at once:
on EC2 it would vanish, and its caller wait for a timeout.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_NETFILTER = 12
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NFTABLES = 10
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 2, 3, 6
_REQUEST, _ACKNOWLEDGE, _CREATE, _APPEND = 1, 4, 0x400, 0x800
_ERROR = 2
_IPV4 = 2
_FORWARD, _DROP, _ACCEPT = 2, 0, 1
_TABLE, _CHAIN = "groups", "forward"
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_SOURCE_AT, _TARGET_AT, _TARGET_PORT_AT = 12, 16, 2
_EQUAL, _NOT_EQUAL = 0, 1
_PROTOCOL_KEY = 16
_ESTABLISHED_OR_RELATED = struct.pack("=I", 6)
_BY_RESET, _BY_MESSAGE, _PROHIBITED = 1, 0, 13
_TCP = 6
_NESTED = 0x8000


@dataclass(frozen=True)
class Opening:
    """One thing let in: to an address, from a block of addresses, perhaps only some of it."""

    target: str
    source: str  # CIDR
    protocol: int | None = None  # IP's number; None: any
    ports: tuple[int, int] | None = None  # first and last


def let_pass(openings: Sequence[Opening], *, cuts: Sequence[tuple[str, str]] = ()) -> None:
    """Let exactly these pass between networks, instead of what was let before, in one step.

    Between two addresses that are cut off from each other nothing passes, whatever is open: it
    vanishes, and so does what belongs to a connection that stands. Raises `OSError` where the
    kernel cannot.
    """
    table = _text(1, _TABLE)
    hook = _number(1, _FORWARD) + _number(2, 0)
    chain = table + _text(3, _CHAIN) + _nested(4, hook) + _number(5, _ACCEPT) + _text(7, "filter")
    messages = [
        (_NEW_TABLE, _CREATE, table),  # so that there is one to delete
        (_DELETE_TABLE, 0, table),
        (_NEW_TABLE, _CREATE, table),
        (_NEW_CHAIN, _CREATE, chain),
    ]
    rules = [
        [*_matching(Opening(target, f"{source}/32")), _verdict(_DROP)]
        for pair in cuts
        for target, source in (pair, pair[::-1])
    ]
    rules.append([*_of_known_connection(), _verdict(_ACCEPT)])
    rules += [[*_matching(opening), _verdict(_ACCEPT)] for opening in openings]
    rules.append([*_of_protocol(_TCP), _expression("reject", _number(1, _BY_RESET))])
    refusal = _number(1, _BY_MESSAGE) + _attribute(2, bytes([_PROHIBITED]))
    rules.append([_expression("reject", refusal)])
    for rule in rules:
        body = table + _text(2, _CHAIN) + _nested(4, b"".join(rule))
        messages.append((_NEW_RULE, _CREATE | _APPEND, body))
    _send(messages)


def _send(messages: list[tuple[int, int, bytes]]) -> None:
    """Have the kernel take all messages or none."""
    parts = [_message(_BATCH_BEGIN, 0, 0, 0, b"", resource=_NFTABLES)]
    for number, (kind, flags, body) in enumerate(messages, 1):
        acknowledge = _ACKNOWLEDGE if number == len(messages) else 0
        parts.append(_message(_NFTABLES << 8 | kind, flags | acknowledge, number, _IPV4, body))
    parts.append(_message(_BATCH_END, 0, len(messages) + 1, 0, b"", resource=_NFTABLES))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**22)
        connection.bind((0, 0))
        connection.send(b"".join(parts))
        connection.settimeout(10)
        answer = connection.recv(2**16)
    code = struct.unpack_from("i", answer, 16)[0]
    if struct.unpack_from("H", answer, 4)[0] != _ERROR or code != 0:
        raise OSError(-code, f"nftables: {os.strerror(-code)}")


def _message(
    kind: int, flags: int, number: int, family: int, body: bytes, *, resource: int = 0
) -> bytes:
    inner = struct.pack(">BBH", family, 0, resource) + body
    return struct.pack("=IHHII", 16 + len(inner), kind, _REQUEST | flags, number, 0) + inner


def _matching(opening: Opening) -> list[bytes]:
    block = ipaddress.ip_network(opening.source)
    target = ipaddress.ip_address(opening.target).packed
    found = [
        *_with_bytes(_NETWORK_HEADER, _TARGET_AT, target, target),
        *_with_bytes(
            _NETWORK_HEADER,
            _SOURCE_AT,
            block.network_address.packed,
            block.broadcast_address.packed,
        ),
    ]
    if opening.protocol is not None:
        found += _of_protocol(opening.protocol)
    if opening.ports is not None:
        first, last = (struct.pack(">H", port) for port in opening.ports)
        found += _with_bytes(_TRANSPORT_HEADER, _TARGET_PORT_AT, first, last)
    return found


def _with_bytes(header: int, offset: int, first: bytes, last: bytes) -> list[bytes]:
    where = _number(2, header) + _number(3, offset) + _number(4, len(first))
    limits = _nested(3, _attribute(1, first)) + _nested(4, _attribute(1, last))
    return [
        _expression("payload", _number(1, 1) + where),
        _expression("range", _number(1, 1) + _number(2, _EQUAL) + limits),
    ]


def _of_protocol(number: int) -> list[bytes]:
    return [
        _expression("meta", _number(1, 1) + _number(2, _PROTOCOL_KEY)),
        _compared(_EQUAL, bytes([number])),
    ]


def _of_known_connection() -> list[bytes]:
    mask = _nested(4, _attribute(1, _ESTABLISHED_OR_RELATED)) + _nested(5, _attribute(1, bytes(4)))
    return [
        _expression("ct", _number(1, 1) + _number(2, 0)),
        _expression("bitwise", _number(1, 1) + _number(2, 1) + _number(3, 4) + mask),
        _compared(_NOT_EQUAL, bytes(4)),
    ]


def _compared(how: int, value: bytes) -> bytes:
    return _expression("cmp", _number(1, 1) + _number(2, how) + _nested(3, _attribute(1, value)))


def _verdict(what: int) -> bytes:
    verdict = _nested(2, _nested(2, _number(1, what)))
    return _expression("immediate", _number(1, 0) + verdict)


def _expression(name: str, data: bytes) -> bytes:
    return _nested(1, _text(1, name) + _nested(2, data))


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _nested(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, value)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack(">I", value))
