"""What the account's limits leave room for: asked just before each call that starts instances."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labctl.errors import LimitError
from labctl.kinds.instance_members import TAG_LAUNCH
from labctl.kinds.ownership import tag_map
from labctl.kinds.vcpus import vcpus_of
from labctl.spec.limits import AccountLimits
from labctl.targets.base import Target
from labctl.targets.failures import code_of

RUNNING = ("pending", "running")
MAKE_ROOM = "make the lab smaller, or end what else runs: labctl status lists what is up"


@dataclass(frozen=True)
class Running:
    """One instance that runs in the account, or is about to; `launch` marks what started it."""

    id: str
    type: str
    vcpus: int
    launch: str = ""


def count_reasons(
    limits: AccountLimits, region: str, *, who: str, running: Sequence[Running], more: Sequence[str]
) -> list[str]:
    """Return why instances of these types cannot start beside what runs; `who` needs them."""
    allowed, now = limits.instances, len(running)
    vcpus, more_vcpus = sum(each.vcpus for each in running), sum(map(vcpus_of, more))
    pairs = (
        ("running instances", now, len(more), allowed.running),
        ("vCPUs", vcpus, more_vcpus, allowed.vcpus),
    )
    found = []
    for what, have, need, most in pairs:
        if need and most is not None and have + need > most:
            needs = f"needs {need} more, {have} run already" if have else f"needs {need}"
            found.append(f"{what}: {who} {needs}, {limits.name} allows {most} in {region}")
    if found and allowed.deactivates_at and now + len(more) >= allowed.deactivates_at:
        found[0] += f" ({allowed.deactivates_at} at once deactivate the account)"
    return found


class Headroom:
    """Counts what really runs in the region, whoever started it; one for all of a command.

    Threads that start instances take turns: else two could both find the last place free.
    """

    def __init__(self, target: Target, limits: AccountLimits) -> None:
        self.limits = limits
        self._target = target
        self._turn = threading.Lock()
        self._launches: dict[str, tuple[str, ...]] = {}  # the types of each launch, by its mark

    def running(self) -> list[Running]:
        """Return what runs in the region now.

        What was launched here counts until it is seen, also when the answer was lost. Stopped,
        stopping and ending instances do not count.
        """
        pages = self._target.client("ec2").get_paginator("describe_instances").paginate()
        seen = [
            (instance["State"]["Name"], _running(instance))
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        ]
        visible = Counter(each.launch for _, each in seen)
        hidden = [
            Running("", kind, vcpus_of(kind), launch)
            for launch, types in self._launches.items()
            for kind in types[visible[launch] :]
        ]
        return [each for state, each in seen if state in RUNNING] + hidden

    @contextmanager
    def room_for(self, types: Sequence[str], *, who: str, launch: str = "") -> Iterator[None]:
        """Let instances of these types be started inside; raises `LimitError` first if too many.

        What an earlier call of the same launch started is not counted: this one starts no more.
        """
        with self._turn:
            others = [each for each in self.running() if not launch or each.launch != launch]
            region = self._target.region
            reasons = count_reasons(self.limits, region, who=who, running=others, more=types)
            if reasons:
                raise LimitError("the account is full", MAKE_ROOM, reasons=reasons)
            if launch:
                self._launches[launch] = tuple(types)
            try:
                yield
            except Exception as error:
                if code_of(error):  # the service refused; else the answer may only be lost
                    self._launches.pop(launch, None)
                raise


def _running(instance: Mapping[str, Any]) -> Running:
    cpu, kind = instance.get("CpuOptions"), str(instance["InstanceType"])
    vcpus = cpu["CoreCount"] * cpu["ThreadsPerCore"] if cpu else vcpus_of(kind)
    launch = tag_map(instance.get("Tags")).get(TAG_LAUNCH, "")
    return Running(str(instance["InstanceId"]), kind, vcpus, launch)
