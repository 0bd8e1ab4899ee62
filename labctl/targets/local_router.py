"""Holds back traffic between instances of the local cloud, where each has its own network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from labctl.cloud.holding import DELAY, is_of_cut, tags_of_cut, tags_of_delay
from labctl.errors import TargetError

_HINT = "kill, stop and pause work everywhere; on AWS and on given machines this does, too"


class LocalRouter:
    """The local cloud's way: it reads the instances' tags, and obeys them at once."""

    def __init__(self, cannot: Mapping[str, str], ec2: Any) -> None:  # noqa: ANN401 - a boto3 client
        self._cannot, self._ec2 = cannot, ec2

    def refuse_cuts(self) -> None:
        """Raise where nothing lies between the instances, or it filters nothing."""
        self._refuse("cut", "cut off")

    def refuse_delays(self) -> None:
        """Raise where nothing lies between the instances, or it delays nothing."""
        self._refuse("delay", "delayed")

    def cut_off(self, machine: str, addresses: Collection[str]) -> None:
        """Drop all that a machine sends to these addresses or gets from there; no others."""
        self._say(machine, tags_of_cut(addresses), instead_of=is_of_cut)

    def slow_down(self, machine: str, *, delay_ms: int, jitter_ms: int) -> None:
        """Delay a machine's traffic; 0 for both lets it pass at once."""
        tags = tags_of_delay(delay_ms, jitter_ms) if delay_ms or jitter_ms else {}
        self._say(machine, tags, instead_of=lambda key: key == DELAY)

    def _refuse(self, what: str, how: str) -> None:
        if what in self._cannot:
            raise TargetError(f"no instance can be {how} here: {self._cannot[what]}", _HINT)

    def _say(
        self, machine: str, tags: Mapping[str, str], *, instead_of: Callable[[str], bool]
    ) -> None:
        found = self._ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [machine]}])
        over = [
            {"Key": tag["Key"]}
            for tag in found["Tags"]
            if instead_of(tag["Key"]) and tag["Key"] not in tags
        ]
        if tags:
            pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
            self._ec2.create_tags(Resources=[machine], Tags=pairs)
        if over:
            self._ec2.delete_tags(Resources=[machine], Tags=over)
