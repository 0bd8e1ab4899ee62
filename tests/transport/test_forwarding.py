"""Reaching a port of a machine at a port of this one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from labctl.errors import LabctlError, TransportError
from labctl.transport.forwarding import listen_here
from labctl.transport.ssh import SshTransport
from tests.transport.sshd import SshServer


@contextmanager
def forwarded(
    transport: SshTransport, server: SshServer, port: int
) -> Iterator[tuple[int, list[LabctlError]]]:
    """Give the port here that leads to a port there, and what went wrong so far."""
    cancelled, failures = threading.Event(), list[LabctlError]()
    with listen_here(0) as listener:
        options = {"cancelled": cancelled, "on_failure": failures.append}
        carrying = threading.Thread(
            target=transport.forward, args=(server.machine(), port, listener), kwargs=options
        )
        carrying.start()
        try:
            yield listener.getsockname()[1], failures
        finally:
            cancelled.set()
            carrying.join(30)
            assert not carrying.is_alive()


def test_what_is_sent_arrives_and_the_answer_comes_back(
    server: SshServer, transport: SshTransport
) -> None:
    data = bytes(range(256)) * 4000
    with socket.create_server(("127.0.0.1", 0)) as service:
        serving = threading.Thread(target=_mirror, args=(service,))
        serving.start()
        with forwarded(transport, server, service.getsockname()[1]) as (port, failures):
            for _ in range(2):
                with socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
                    caller.sendall(data)
                    caller.shutdown(socket.SHUT_WR)
                    found = b""
                    while block := caller.recv(2**16):
                        found += block
                assert found == data[::-1]
        serving.join(30)
    assert failures == []


def _mirror(service: socket.socket) -> None:
    """Answer two callers with what each sent, from its end to its beginning."""
    for _ in range(2):
        caller, _ = service.accept()
        with caller:
            found = b""
            while block := caller.recv(2**16):
                found += block
            caller.sendall(found[::-1])


def test_a_port_where_nobody_listens_is_told(server: SshServer, transport: SshTransport) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with forwarded(transport, server, unused.getsockname()[1]) as (port, failures):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
                assert caller.recv(1) == b""  # closed once it is known
            assert "nothing answers on its port" in failures[0].message


def test_a_port_that_is_taken_is_told() -> None:
    with listen_here(0) as first, pytest.raises(TransportError, match="cannot be listened on"):
        listen_here(first.getsockname()[1])
