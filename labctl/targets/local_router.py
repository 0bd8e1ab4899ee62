"""Holds back traffic between instances of the local cloud, where each has its own network."""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from labctl.cloud.layout import CloudInfo
from labctl.errors import TargetError


class LocalRouter:
    """The local cloud's way; instances of the tier plain share the network of this machine."""

    def __init__(self, info: CloudInfo) -> None:
        self._info = info

    def refuse_cuts(self) -> None:
        """Raise: nothing lies between the instances."""
        self._refuse("cut off")

    def refuse_delays(self) -> None:
        """Raise: nothing lies between the instances."""
        self._refuse("delayed")

    def cut_off(self, machine: str, addresses: Collection[str]) -> None:
        """There is nothing that was ever cut off."""

    def slow_down(self, machine: str, *, delay_ms: int, jitter_ms: int) -> None:
        """There is nothing that was ever delayed."""

    def _refuse(self, how: str) -> NoReturn:
        raise TargetError(
            f"instances of tier {self._info.tier} share this machine's network: none can be {how}",
            "kill, stop and pause work here; on AWS and given machines all faults do",
        )
