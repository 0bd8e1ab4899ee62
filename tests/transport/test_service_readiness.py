"""When a service counts as hopeless, decided from what machines in memory report."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

import pytest

from labctl.errors import TransportError
from labctl.transport.base import Completed, Machine
from labctl.transport.service_readiness import LogSays, PortOpen, wait_service_ready
from tests.fakes.transport import FakeTransport

MACHINE = Machine(
    role="worker",
    index=0,
    id="i-0",
    address="192.0.2.1",
    port=22,
    user="ubuntu",
    key_file=None,
    host_keys=("ssh-ed25519 AAAA",),
)


@dataclass
class Reports:
    """What the machine answers, one report after the other, the last one for ever."""

    reports: list[dict[str, object]]
    asked: int = field(default=0)

    def __call__(self, stdin: bytes) -> Completed:
        report = self.reports[min(self.asked, len(self.reports) - 1)]
        self.asked += 1
        return Completed(0, b"welcome!\n" + json.dumps(report).encode() + b"\n", b"")


def report(*, ready: bool = False, state: str = "active", restarts: int = 0) -> dict[str, object]:
    return {"ready": ready, "state": state, "restarts": restarts}


def wait(reports: list[dict[str, object]], sign: LogSays | PortOpen) -> int:
    transport = FakeTransport()
    machine = transport.add(MACHINE)
    answers = Reports(reports)
    machine.teach("wait_s=", answers)
    machine.teach("lines=", Completed(0, b"oh no\n", b""))
    never = threading.Event()
    wait_service_ready(transport, MACHINE, "numbers", sign, deadline_s=20, cancelled=never)
    return answers.asked


def test_it_must_be_ready_and_active_at_once() -> None:
    starting = report(ready=True, state="activating", restarts=7)
    assert wait([report(), starting, report(ready=True)], LogSays("ready")) == 3


def test_three_crashes_without_a_word_are_enough() -> None:
    reports = [report(restarts=n, state="activating") for n in (0, 1, 2, 3)]
    with pytest.raises(TransportError, match=r"keeps crashing; the end of its log:\noh no"):
        wait([*reports, report(ready=True)], LogSays("ready"))
    assert wait([*reports[:3], report(ready=True)], LogSays("ready")) == 4


def test_restarts_of_long_ago_do_not_count_against_a_port() -> None:
    assert wait([report(restarts=9), report(restarts=9, ready=True)], PortOpen(80)) == 2
    with pytest.raises(TransportError, match="keeps crashing"):
        wait([report(restarts=9), report(restarts=12)], PortOpen(80))


def test_a_machine_that_answers_nonsense_is_told() -> None:
    transport = FakeTransport()
    transport.add(MACHINE).teach("wait_s=", Completed(0, b"no such thing\n", b""))
    never = threading.Event()
    with pytest.raises(TransportError, match="without a report"):
        wait_service_ready(
            transport, MACHINE, "numbers", PortOpen(80), deadline_s=20, cancelled=never
        )
