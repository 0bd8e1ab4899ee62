"""Fault `kill`: the processes of a machine's agents end at once, as if it had lost its power."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.faults.base import ServiceFault, Spot
from labctl.spec.params import Scalar
from labctl.transport.services import signal_services, start_services


class Kill(ServiceFault):
    """SIGKILL to all processes of the services; their restart policy brings them back."""

    name = "kill"
    say = """Kill the agents of a machine at once.

    With --for they stay down so long; without, their restart policy brings them back.
    """
    passes = True

    def begin(self, spot: Spot, chosen: Mapping[str, Scalar], *, held: bool) -> None:
        """Kill; when it is held, keep the service manager from bringing them back."""
        signal_services(spot.transport, spot.machine, spot.services, "KILL", then_stop=held)

    def end(self, spot: Spot) -> None:
        """Start them again."""
        start_services(spot.transport, spot.machine, spot.services)
