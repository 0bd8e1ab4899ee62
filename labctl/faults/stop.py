"""Fault `stop`: the services of a machine's agents are stopped in order, and started again."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.faults.base import ServiceFault, Spot
from labctl.spec.params import Scalar
from labctl.transport.services import start_services, stop_service

_BESIDES_S = 30.0  # for the login and the service manager, over what the agents may take


class Stop(ServiceFault):
    """SIGTERM, time to finish, and no restart."""

    name = "stop"
    say = """Stop the agents of a machine in order.

    They have their time to finish what they are at, as in a shutdown.
    """

    def begin(self, spot: Spot, chosen: Mapping[str, Scalar], *, held: bool) -> None:
        """Stop each service and wait for its end."""
        for service in spot.services:
            stop_service(
                spot.transport, spot.machine, service, timeout_s=spot.stop_timeout_s + _BESIDES_S
            )

    def end(self, spot: Spot) -> None:
        """Start them again."""
        start_services(spot.transport, spot.machine, spot.services)
