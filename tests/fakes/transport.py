"""Machines in memory behind the `Transport` interface, held to the same contract as real ones."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from labctl.errors import HostKeyChanged, Interrupted, LabctlError, TransportError
from labctl.transport.base import Bundle, Completed, Machine
from labctl.transport.bundles import check_bundle

Answer = Callable[[bytes], Completed]  # from standard input to the end of the command


@dataclass
class FakeMachine:
    """One machine: tests set `up` and `host_key`, teach it answers, and read what was done."""

    host_key: str
    up: bool = True
    home: str = "/home/ubuntu"
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)  # path -> content, mode
    bundles: dict[str, Bundle] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    answers: list[tuple[str, Answer, bool]] = field(default_factory=list)

    def teach(self, part: str, answer: Answer | Completed, *, endless: bool = False) -> None:
        """Answer every script that contains `part`; an endless one only ends when cancelled."""
        known = answer if callable(answer) else (lambda stdin: answer)
        self.answers.insert(0, (part, known, endless))

    def path(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.home}/{path.removeprefix('~/')}"


class FakeTransport:
    """Knows machines by address and port; one that was never added cannot be reached."""

    def __init__(self) -> None:
        self.machines: dict[tuple[str, int], FakeMachine] = {}

    def add(self, machine: Machine) -> FakeMachine:
        """Let a machine be there, with the host key that it is pinned to."""
        made = FakeMachine(host_key=machine.host_keys[0])
        self.machines[machine.address, machine.port] = made
        return made

    def wait_ready(
        self,
        machine: Machine,
        *,
        deadline_s: float,
        cancelled: threading.Event,
        still_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        if cancelled.is_set():
            raise Interrupted("stopped while waiting for a machine", "run the command again")
        if self._is_up(machine):
            self._reached(machine)
        elif not still_wanted():
            raise TransportError(f"{machine.name} went away", "see what is there")
        else:
            raise TransportError(f"{machine.name} was not ready in time", "is it running?")

    def run(
        self, machine: Machine, script: str, *, stdin: bytes = b"", timeout_s: float = 60.0
    ) -> Completed:
        completed, endless = self._answer(machine, script, stdin)
        if endless:
            raise TransportError(f"{machine.name}: a command did not end in time", "look at it")
        return completed

    def push(self, machine: Machine, bundle: Bundle, *, timeout_s: float = 120.0) -> bool:
        check_bundle(bundle)
        bundles = self._reached(machine).bundles
        had = bundles.get(bundle.name)
        bundles[bundle.name] = bundle
        return had is None or had.digest != bundle.digest

    def write_file(self, machine: Machine, path: str, content: bytes, *, mode: int) -> None:
        reached = self._reached(machine)
        reached.files[reached.path(path)] = (content, mode)

    def read_file(self, machine: Machine, path: str, *, limit: int = 16 * 2**20) -> bytes:
        reached = self._reached(machine)
        content, _ = reached.files.get(reached.path(path), (None, 0))
        if content is None:
            raise TransportError(f"{machine.name}: there is no file {path}", "see what is there")
        if len(content) > limit:
            raise TransportError(f"{machine.name}: {path} is larger than {limit} bytes", "use scp")
        return content

    def follow(
        self,
        machine: Machine,
        script: str,
        on_line: Callable[[str], None],
        *,
        cancelled: threading.Event,
    ) -> int:
        completed, endless = self._answer(machine, script, b"")
        for line in completed.stdout.decode().splitlines():
            on_line(line)
        if endless:
            cancelled.wait()
        return 143 if cancelled.is_set() else completed.status

    def shell(self, machine: Machine, command: str | None, *, terminal: bool) -> int:
        return self._answer(machine, command or "", b"")[0].status

    def forward(
        self,
        machine: Machine,
        port: int,
        listener: socket.socket,
        *,
        cancelled: threading.Event,
        on_failure: Callable[[LabctlError], None],
    ) -> None:
        self._reached(machine)
        cancelled.wait()

    def forget(self, machine: Machine) -> None:
        """There is no connection to drop."""

    def close(self) -> None:
        """There is no connection to close."""

    def _answer(self, machine: Machine, script: str, stdin: bytes) -> tuple[Completed, bool]:
        reached = self._reached(machine)
        reached.ran.append(script)
        for part, answer, endless in reached.answers:
            if part in script:
                return answer(stdin), endless
        return Completed(0, b"", b""), False

    def _is_up(self, machine: Machine) -> bool:
        known = self.machines.get((machine.address, machine.port))
        return known is not None and known.up

    def _reached(self, machine: Machine) -> FakeMachine:
        if not machine.host_keys and not machine.trust_first_use:
            raise TransportError(f"{machine.name}: no host key is pinned", "give `host_key:`")
        if not self._is_up(machine):
            raise TransportError(f"{machine.name} cannot be reached", "is the machine running?")
        reached = self.machines[machine.address, machine.port]
        if machine.host_keys and reached.host_key not in machine.host_keys:
            raise HostKeyChanged(f"{machine.name} shows another host key", "pin its new key")
        return reached
