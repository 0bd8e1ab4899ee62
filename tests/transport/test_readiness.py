"""Waiting for a machine: quick when it is ready, patient with what may pass, brief else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labctl.errors import HostKeyChanged, Interrupted, TransportError
from labctl.transport.base import Machine
from labctl.transport.host_keys import new_client_key, new_host_key
from labctl.transport.login import NotYet, Phase
from labctl.transport.readiness import wait_until_ready
from labctl.transport.ssh import SshTransport
from tests.transport.sshd import SshServer, needs_sshd, until

MACHINE = Machine(
    role="worker", index=0, id="i-0", address="192.0.2.1", port=22, user="u", key_file=None
)


def wait(transport: SshTransport, machine: Machine, cancelled: threading.Event) -> None:
    transport.wait_ready(machine, deadline_s=30, cancelled=cancelled)


def test_a_server_that_appears_late_is_found(server: SshServer, transport: SshTransport) -> None:
    server.stop()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, transport, server.machine(), threading.Event())
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        server.start()
        waiting.result(10)
    assert server.logins() == 1, "the connection that proved it ready is kept"


def test_a_server_that_first_hangs_up_is_found(server: SshServer, transport: SshTransport) -> None:
    server.stop()
    booting = socket.create_server(("127.0.0.1", server.port))
    with ThreadPoolExecutor(1) as pool, booting:
        waiting = pool.submit(wait, transport, server.machine(), threading.Event())
        for greeting in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"):
            link, _ = booting.accept()
            link.sendall(greeting)
            link.close()
        booting.close()
        server.start()
        waiting.result(20)


def test_a_key_that_the_machine_gets_late_is_accepted(
    server: SshServer, transport: SshTransport
) -> None:
    server.authorized.write_text("")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, transport, server.machine(), threading.Event())
        until(lambda: "Failed publickey" in server.log.read_text())
        server.authorized.write_text(f"{server.public_key}\n")
        waiting.result(10)


def test_a_changed_host_key_is_told_at_once(server: SshServer, transport: SshTransport) -> None:
    machine = server.machine(host_keys=(new_host_key().public,))
    with ThreadPoolExecutor(1) as pool, pytest.raises(HostKeyChanged):
        pool.submit(wait, transport, machine, threading.Event()).result(5)


def test_a_key_file_that_is_missing_is_told_at_once(
    server: SshServer, transport: SshTransport, tmp_path: Path
) -> None:
    machine = server.machine(key_file=tmp_path / "nothing")
    with ThreadPoolExecutor(1) as pool, pytest.raises(TransportError, match="cannot be read"):
        pool.submit(wait, transport, machine, threading.Event()).result(5)


def test_cancelling_ends_the_wait_for_a_silent_server(
    server: SshServer, transport: SshTransport
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as pool:
        cancelled = threading.Event()
        machine = server.machine(port=silent.getsockname()[1])
        waiting = pool.submit(wait, transport, machine, cancelled)
        link, _ = silent.accept()
        with link:
            cancelled.set()
            with pytest.raises(Interrupted):
                waiting.result(3)


def test_the_deadline_tells_the_last_reason(
    server: SshServer, transport: SshTransport, tmp_path: Path
) -> None:
    new_client_key(tmp_path / "other")
    machine = server.machine(key_file=tmp_path / "other")
    with pytest.raises(TransportError, match=r"not ready within 0.5 s.*does not accept the key"):
        transport.wait_ready(machine, deadline_s=0.5, cancelled=threading.Event())


def test_a_refused_key_is_given_up_after_its_grace() -> None:
    def refused() -> None:
        raise NotYet("auth", "it does not accept the key", "look")

    with pytest.raises(TransportError, match="^it does not accept the key$") as told:
        _wait(refused, auth_grace_s=0.2)
    assert not isinstance(told.value, NotYet)


def test_the_grace_counts_from_the_last_other_failure() -> None:
    # About 0, 0.05, 0.13, 0.26, then 0.46 s; the next comes after 0.55 s at the earliest.
    phases: list[Phase] = ["auth", "auth", "auth", "auth", "banner", "auth"]

    def attempt() -> None:
        if phases:
            raise NotYet(phases.pop(0), "not yet", "")

    _wait(attempt, auth_grace_s=0.45)
    assert not phases


def test_a_machine_that_went_away_is_not_waited_for() -> None:
    def off() -> None:
        raise NotYet("tcp", "no answer", "")

    with pytest.raises(TransportError, match="went away"):
        _wait(off, wanted=False)


def test_the_first_tries_follow_quickly_and_then_ever_more_slowly() -> None:
    tries: list[float] = []

    def attempt() -> None:
        tries.append(time.monotonic())
        if len(tries) < 6:
            raise NotYet("tcp", "no answer", "")

    _wait(attempt)
    gaps = [after - before for before, after in zip(tries, tries[1:], strict=False)]
    assert gaps[0] < gaps[-1]
    assert gaps[0] >= 0.03


def _wait(attempt: Callable[[], None], *, auth_grace_s: float = 60.0, wanted: bool = True) -> None:
    wait_until_ready(
        MACHINE,
        attempt,
        deadline_s=20,
        cancelled=threading.Event(),
        still_wanted=lambda: wanted,
        auth_grace_s=auth_grace_s,
    )


@needs_sshd
def test_many_machines_become_ready_together(tmp_path: Path, transport: SshTransport) -> None:
    servers = [SshServer(tmp_path / str(n)) for n in range(6)]
    try:
        with ThreadPoolExecutor(6) as pool:
            waits = [pool.submit(wait, transport, s.machine(), threading.Event()) for s in servers]
            for server in servers:
                server.start()
            for waiting in waits:
                waiting.result(20)
    finally:
        transport.close()
        for server in servers:
            server.stop()
