"""Fault `pause`: the processes of a machine's agents stand still, as if it had no time for them."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.faults.base import ServiceFault, Spot
from labctl.spec.params import Scalar
from labctl.transport.services import signal_services


class Pause(ServiceFault):
    """SIGSTOP, and SIGCONT: connections stay open, and nobody answers on them."""

    name = "pause"
    say = """Freeze the agents of a machine.

    They hold what they have, their connections too, and answer nobody.
    """

    def begin(self, spot: Spot, chosen: Mapping[str, Scalar], *, held: bool) -> None:
        """Stop every process of the services where it is."""
        signal_services(spot.transport, spot.machine, spot.services, "STOP")

    def end(self, spot: Spot) -> None:
        """Let them go on."""
        signal_services(spot.transport, spot.machine, spot.services, "CONT")
