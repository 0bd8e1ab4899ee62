"""The plain tier: an instance is a process tree with its own home, environment and address.

Nothing separates its files and network from the real machine's; on Linux the tree dies as a unit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from labctl.cloud.beneath import with_mode
from labctl.cloud.inside.guest import Guest
from labctl.cloud.machines import InitMachine, Zygotes
from labctl.cloud.programs import provide_python, python_wrapper, shell, write_programs
from labctl.cloud.tier import Ask, Description

_SHARED = "instances of tier plain share this machine's network"


class PlainTier:
    """Instances that share this machine's files and network."""

    name = "plain"
    own_network = False
    cannot: Mapping[str, str] = dict.fromkeys(("cut", "delay"), _SHARED)

    def __init__(
        self,
        environment: Mapping[str, str],
        own_children: Callable[[], set[int]],
        *,
        reason: str,
    ) -> None:
        self.reason = reason
        self._zygotes = Zygotes("labctl.cloud.inside.zygote", environment, own_children)

    @property
    def pid(self) -> int | None:
        """The zygote's process id."""
        return self._zygotes.pid

    def outfit(self, description: Description, *, disk: Path, user: str, first: bool) -> Guest:
        """Write the instance's commands; anew at each boot, should labctl have moved."""
        home, folder = disk / "home" / user, disk / "bin"
        with_mode(disk, "run", 0o700)
        with_mode(disk, "bin", 0o755)
        write_programs(folder)
        provide_python(disk, f"home/{user}", python_wrapper())
        environment = {
            "HOME": str(home),
            "USER": user,
            "LOGNAME": user,
            "SHELL": shell(),
            "PATH": f"{folder}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TMPDIR": str(disk / "tmp"),
            "LABCTL_ROOT": str(disk),
            "LABCTL_INSTANCE": description.id,
            # All addresses of the loopback are this machine's: no program could tell its own.
            "LABCTL_ADDRESS": description.address,
        }
        return Guest(description.id, disk, user, str(home), environment)

    def hand_over(self, disk: Path) -> None:
        """Do nothing: who runs the instance owns its disk."""

    async def boot(
        self, description: Description, guest: Guest, ask: Ask, *, disk: Path
    ) -> InitMachine:
        """Fork an init for the guest."""
        return await self._zygotes.boot(guest, ask)

    def lets_in(self, private_address: str, caller: str) -> bool:
        """Let everybody in: groups have no effect here."""
        return True

    def learn(self, machines: list[dict[str, Any]]) -> None:
        """Do nothing: roles and groups have no effect here."""

    async def close(self) -> None:
        """End every machine."""
        await self._zygotes.close()
