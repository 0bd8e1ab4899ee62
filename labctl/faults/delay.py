"""Fault `delay`: what a machine sends arrives later, as over a long or busy line."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.faults.base import Fault, Spot
from labctl.spec.params import Param, Scalar
from labctl.transport.network import slow_down

_LONGEST_MS = 10_000  # labctl must still be able to undo it


class Delay(Fault):
    """Latency on all of a machine's traffic."""

    name = "delay"
    say = """Delay a machine's traffic.

    Every packet that it sends takes so much longer; on the local cloud, every packet that is sent
    to it. A jitter makes each of them different.
    """
    touches = "speed"
    options = {
        "ms": Param(
            type="integer", default=100, min=1, max=_LONGEST_MS, help="So many milliseconds."
        ),
        "jitter": Param(
            type="integer", default=0, min=0, max=_LONGEST_MS, help="Give or take so many."
        ),
    }

    def what(self, chosen: Mapping[str, Scalar]) -> str:
        """Return it with its milliseconds."""
        jitter = f" +- {chosen['jitter']}" if chosen["jitter"] else ""
        return f"delay of {chosen['ms']}{jitter} ms"

    def refuse(self, spot: Spot, chosen: Mapping[str, Scalar]) -> None:
        """Raise where nothing could do it."""
        if spot.router is not None:
            spot.router.refuse_delays()
        else:
            slow_down(spot.transport, spot.machine, **_times(chosen), doing="try")

    def begin(self, spot: Spot, chosen: Mapping[str, Scalar], *, held: bool) -> None:
        """Have packets wait."""
        if spot.router is not None:
            spot.router.slow_down(spot.machine.id, **_times(chosen))
        else:
            slow_down(spot.transport, spot.machine, **_times(chosen), doing="begin")

    def end(self, spot: Spot) -> None:
        """Let them go at once again."""
        if spot.router is not None:
            spot.router.slow_down(spot.machine.id, delay_ms=0, jitter_ms=0)
        else:
            slow_down(spot.transport, spot.machine, delay_ms=0, jitter_ms=0, doing="end")


def _times(chosen: Mapping[str, Scalar]) -> dict[str, int]:
    return {"delay_ms": int(chosen["ms"]), "jitter_ms": int(chosen["jitter"])}
