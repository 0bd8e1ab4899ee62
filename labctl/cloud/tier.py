"""What the instance host asks of a tier: how machines are made, and how far apart they are kept."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from labctl.cloud.inside.guest import Guest

# Called when a machine asks the host for something (verb, name); returns an error or "".
Ask = Callable[[str, str], Awaitable[str]]


@dataclass(frozen=True)
class Description:
    """What EC2 knows about an instance."""

    id: str
    address: str  # on this machine's loopback: where SSH listens
    private_address: str
    image: str
    type: str
    public_key: str
    user_data: str  # base64


class Program(Protocol):
    """One program started in a machine."""

    exited: asyncio.Future[int]  # exit code, or minus the signal

    def send_signal(self, number: int) -> None:
        """Signal the program and what it started in its session."""


class Machine(Protocol):
    """A booted instance."""

    died: asyncio.Event  # set when nothing of it runs any more

    async def start_program(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        stdio: Sequence[int],
        terminal: bool = False,
    ) -> Program:
        """Start a program in the home folder; `stdio` stay the caller's.

        Raises `OSError` when it cannot be run, `ConnectionError` when the machine is gone.
        """

    async def new_socket(self, family: int = socket.AF_INET) -> socket.socket:
        """Return a TCP socket in the instance's network, not blocking; as `start_program`."""

    async def open_terminal(self) -> tuple[int, int]:
        """Return both ends of a new terminal; as `start_program`."""

    async def start_services(self) -> None:
        """Start what is enabled."""

    async def halt(self, *, grace_s: float) -> None:
        """End everything in it: asked first, then killed after `grace_s` seconds."""


class Tier(Protocol):
    """A way to make machines."""

    name: str
    reason: str  # why this one, and what it separates
    own_network: bool  # each instance has an address and ports of its own
    cannot: Mapping[str, str]  # of "cut" and "delay" of their traffic: why not

    def outfit(self, description: Description, *, disk: Path, user: str, first: bool) -> Guest:
        """Make what instances of this tier find on their disk; return how they see themselves."""

    def hand_over(self, disk: Path) -> None:
        """Let the instance own what was put on its disk before the first boot."""

    async def boot(
        self, description: Description, guest: Guest, ask: Ask, *, disk: Path
    ) -> Machine:
        """Boot a machine; raises `OSError` when that fails."""

    def lets_in(self, private_address: str, caller: str) -> bool:
        """Tell whether an instance's groups let an address of this machine in by SSH."""

    def learn(self, machines: list[dict[str, Any]]) -> None:
        """Take over what EC2 says of all instances now: their roles, what their groups open."""

    async def close(self) -> None:
        """End all machines and what the tier itself runs."""
