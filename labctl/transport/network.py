"""Holds back what a machine sends and gets, by the machine's own means, and lets it pass again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from labctl.transport.base import Machine, Transport
from labctl.transport.scripts import output_of, script

Doing = Literal["try", "begin", "end"]
_TIMEOUT_S = 60.0


def cut_off(
    transport: Transport, machine: Machine, addresses: Sequence[str], *, doing: Doing
) -> None:
    """Drop what comes from addresses and goes there, SSH from here apart; or only try, or undo."""
    asked = script("partition.sh", addresses=" ".join(addresses), doing=doing)
    done = transport.run(machine, asked, timeout_s=_TIMEOUT_S)
    output_of(machine, done, doing="cutting it off")


def slow_down(
    transport: Transport, machine: Machine, *, delay_ms: int, jitter_ms: int, doing: Doing
) -> None:
    """Delay all that the machine sends, its answers over SSH too; or only try, or undo."""
    asked = script("delay.sh", ms=str(delay_ms), jitter=str(jitter_ms), doing=doing)
    done = transport.run(machine, asked, timeout_s=_TIMEOUT_S)
    output_of(machine, done, doing="delaying its traffic")
