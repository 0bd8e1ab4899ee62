"""The instance host: makes what runs here match what EC2 says, however often it is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from labctl.cloud.instance import Instance, remove_tree
from labctl.cloud.layout import Layout
from labctl.cloud.tier import Description, Tier

Report = Callable[[str, str, int], None]  # instance, state, boots
Power = Callable[[str, str], Awaitable[str]]

_STOP_GRACE_S = 10.0
_TERMINATE_GRACE_S = 2.0
_LONGEST_PAUSE_S = 30.0
_GOALS = {"pending": "running", "running": "running", "stopping": "stopped", "stopped": "stopped"}
_log = logging.getLogger("labctl.host")


class _Follower:
    """Keeps one instance as it is wanted."""

    def __init__(self, instance: Instance, number: str, report: Report) -> None:
        self.instance = instance
        self._number = number
        self._report = report
        self._goal, self._boots = "terminated", 0
        self._booted = 0
        self._changed = asyncio.Event()
        self.forgotten = False  # EC2 does not know it any more
        self.task = asyncio.create_task(self._follow())

    def want(self, goal: str, boots: int) -> None:
        """Take a new goal; the same again changes nothing."""
        if (goal, boots) != (self._goal, self._boots):
            self._goal, self._boots = goal, boots
            self._changed.set()

    async def _follow(self) -> None:
        pause_s = 0.0
        await self._changed.wait()
        while True:
            self._changed.clear()
            goal, boots = self._goal, self._boots
            try:
                await self._reach(goal, boots)
                pause_s = 0.0
            except (OSError, ConnectionError) as error:
                _log.exception("%s cannot become %s", self._number, goal, exc_info=error)
                pause_s = min(max(0.5, pause_s * 2), _LONGEST_PAUSE_S)
                await self._wait(pause_s)
                continue
            self._report(self._number, goal, boots)
            if goal == "terminated" and self.forgotten:
                return
            await self._wait(None)

    async def _reach(self, goal: str, boots: int) -> None:
        if goal == "running":
            if self.instance.running and self._booted != boots:
                await self.instance.halt(grace_s=_STOP_GRACE_S)
            if not self.instance.running:
                await self.instance.boot()
                self._booted = boots
        elif goal == "stopped":
            await self.instance.halt(grace_s=_STOP_GRACE_S)
        else:
            await self.instance.destroy(grace_s=_TERMINATE_GRACE_S)

    async def _wait(self, timeout_s: float | None) -> None:
        """Wait for a new goal, or for the machine to die on its own."""
        waits = [asyncio.create_task(self._changed.wait())]
        if self.instance.running and self.instance.machine is not None:
            waits.append(asyncio.create_task(self.instance.machine.died.wait()))
        try:
            await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


class Host:
    """All instances of this cloud."""

    def __init__(self, layout: Layout, tier: Tier, *, report: Report, power: Power) -> None:
        self._layout = layout
        self._tier = tier
        self._report = report
        self._power = power
        self._followers: dict[str, _Follower] = {}
        self._swept = False

    def follow(self, machines: list[dict[str, Any]]) -> None:
        """Take over what EC2 says of all instances; an id comes first with its description."""
        self._tier.learn(machines)
        for machine in machines:
            number = machine["id"]
            if number not in self._followers and "address" in machine:
                self._followers[number] = self._new(machine)
            follower = self._followers.get(number)
            if follower is not None:
                goal = _GOALS.get(machine["state"], "terminated")
                follower.want(goal, machine["boots"])
        known = {machine["id"] for machine in machines}
        for number in [number for number in self._followers if number not in known]:
            follower = self._followers.pop(number)
            follower.forgotten = True
            follower.want("terminated", -1)
        if not self._swept:
            self._swept = True
            self._sweep(known)

    def running(self) -> list[tuple[str, Path]]:
        """Return the instances whose machines are up, each by its id and its root."""
        return [
            (number, follower.instance.root)
            for number, follower in self._followers.items()
            if follower.instance.running
        ]

    def _new(self, machine: dict[str, Any]) -> _Follower:
        names = (detail.name for detail in fields(Description))
        description = Description(**{name: machine[name] for name in names})
        instance = Instance(self._layout, self._tier, description, self._power)
        return _Follower(instance, description.id, self._report)

    def _sweep(self, known: set[str]) -> None:
        """Delete disks of instances that ended while nobody was here to see it."""
        for folder in self._layout.instances.iterdir():
            if folder.name not in known:
                remove_tree(folder)

    async def close(self) -> None:
        """Take every machine down; disks stay."""
        for follower in self._followers.values():
            follower.task.cancel()
        halts = [
            follower.instance.halt(grace_s=_TERMINATE_GRACE_S)
            for follower in self._followers.values()
        ]
        await asyncio.gather(*halts, return_exceptions=True)
        await self._tier.close()
