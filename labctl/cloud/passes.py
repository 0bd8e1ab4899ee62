"""What the router between instances lets pass, and how fast: as EC2 says it of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_ENDED = ("terminated", "shutting-down")


@dataclass(frozen=True)
class Passes:
    """Plain data, as the router is told it; instances are named by their private addresses."""

    openings: list[list[Any]] = field(default_factory=list)  # target, source, protocol, ports
    cuts: list[list[str]] = field(default_factory=list)  # pairs between which nothing passes
    delays: dict[str, list[int]] = field(default_factory=dict)  # delay and jitter in ms

    @property
    def gates(self) -> tuple[list[list[Any]], list[list[str]]]:
        """What is opened and cut, which take effect in one step."""
        return self.openings, self.cuts


def passes_of(machines: Sequence[Mapping[str, Any]], addresses: Mapping[str, str]) -> Passes:
    """Return what is to pass between these instances, whose private addresses are known by id."""
    there = [
        (addresses[machine["id"]], machine)
        for machine in machines
        if machine["state"] not in _ENDED
    ]
    return Passes(
        openings=[[own, *opening] for own, machine in there for opening in machine["openings"]],
        cuts=[[own, other] for own, machine in there for other in machine["cut_off"]],
        delays={own: machine["delay_ms"] for own, machine in there if any(machine["delay_ms"])},
    )
