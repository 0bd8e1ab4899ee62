"""What a machine is to the rest of labctl, and the verbs a transport has for it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from labctl.errors import LabctlError


@dataclass(frozen=True)
class Machine:
    """One machine of a role and how SSH reaches it.

    `host_keys` are the accepted public keys ("ssh-ed25519 AAAA..."); with none pinned the
    connection is refused, unless `trust_first_use` was asked for by the user.
    """

    role: str
    index: int
    id: str  # instance id, or host name for a machine that labctl did not create
    address: str
    port: int
    user: str
    key_file: Path | None  # None: the user's SSH agent and default keys
    host_keys: tuple[str, ...] = ()
    trust_first_use: bool = False

    @property
    def name(self) -> str:
        """The name a user types: `worker.0`."""
        return f"{self.role}.{self.index}"


@dataclass(frozen=True)
class Completed:
    """The end of a remote command; a signal counts as 128 + its number, as in a shell."""

    status: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True)
class Bundle:
    """Files to push, named by what they contain: the same content has the same digest."""

    name: str
    files: Mapping[str, bytes] = field(repr=False)  # relative POSIX path -> content
    digest: str = ""  # hex SHA-256 over names and contents


class Transport(Protocol):
    """Reaches machines: run, push, pull, follow, an interactive shell.

    Every call has a timeout in seconds and raises `TransportError` (with a hint) when the
    machine cannot be reached; a command that ran and failed is a `Completed` with its status.
    """

    def wait_ready(
        self,
        machine: Machine,
        *,
        deadline_s: float,
        cancelled: threading.Event,
        still_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Return once the machine runs a command; give up early on what can never succeed."""

    def run(
        self,
        machine: Machine,
        script: str,
        *,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
    ) -> Completed:
        """Run a shell script on the machine and wait for its end and its end of output."""

    def push(self, machine: Machine, bundle: Bundle, *, timeout_s: float = 120.0) -> bool:
        """Put a bundle at `~/.labctl/agents/<name>`; False when the same content was there."""

    def write_file(self, machine: Machine, path: str, content: bytes, *, mode: int) -> None:
        """Write one file, whole or not at all, with its mode; `~/` is the user's home."""

    def read_file(self, machine: Machine, path: str, *, limit: int = 16 * 2**20) -> bytes:
        """Return a file's content, refused beyond `limit` bytes."""

    def follow(
        self,
        machine: Machine,
        script: str,
        on_line: Callable[[str], None],
        *,
        cancelled: threading.Event,
    ) -> int:
        """Run a script and hand over its output line by line until it ends or is cancelled."""

    def shell(self, machine: Machine, command: str | None, *, terminal: bool) -> int:
        """Connect this process's own terminal to a shell or command; return its status."""

    def forward(
        self,
        machine: Machine,
        port: int,
        listener: socket.socket,
        *,
        cancelled: threading.Event,
        on_failure: Callable[[LabctlError], None],
    ) -> None:
        """Carry what comes to a listening socket to a port of the machine, until cancelled."""

    def forget(self, machine: Machine) -> None:
        """Drop the kept connection, because the machine went away or was replaced."""

    def close(self) -> None:
        """Close every connection."""
