"""What the instance host asks of a tier: how machines are made, and how far apart they are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from labctl.cloud.inside.guest import Guest

# Called when a machine asks the host for something (verb, name); returns an error or "".
Ask = Callable[[str, str], Awaitable[str]]


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

    async def start_services(self) -> None:
        """Start what is enabled."""

    async def halt(self, *, grace_s: float) -> None:
        """End everything in it: asked first, then killed after `grace_s` seconds."""


class Tier(Protocol):
    """A way to make machines."""

    name: str

    async def boot(self, guest: Guest, ask: Ask) -> Machine:
        """Boot a machine; raises `OSError` when that fails."""

    async def close(self) -> None:
        """End all machines and what the tier itself runs."""
