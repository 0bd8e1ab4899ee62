"""Fault `partition`: a machine is cut off from the others of its lab; labctl still gets in."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.errors import TargetError, UsageError
from labctl.faults.base import Fault, Spot
from labctl.spec.params import Param, Scalar
from labctl.transport.network import cut_off

_FROM = "from"


class Partition(Fault):
    """What goes between the machine and others vanishes, as in a network that is torn."""

    name = "partition"
    say = """Cut a machine off from the other machines.

    What it sends to them and they to it vanishes, connections that stand included; the cloud's
    services and SSH from here are still reached.
    """
    touches = "routes"
    options = {
        _FROM: Param(
            type="string", default="", help="Only from this role or machine, not from all."
        )
    }

    def what(self, chosen: Mapping[str, Scalar]) -> str:
        """Return it with whom the machine is cut off from."""
        return f"partition from {chosen[_FROM]}" if chosen[_FROM] else self.name

    def refuse(self, spot: Spot, chosen: Mapping[str, Scalar]) -> None:
        """Raise where there is nobody to be cut off from, or nothing that could do it."""
        addresses = _addresses(spot, chosen)
        if spot.router is not None:
            spot.router.refuse_cuts()
        else:
            cut_off(spot.transport, spot.machine, addresses, doing="try")

    def begin(self, spot: Spot, chosen: Mapping[str, Scalar], *, held: bool) -> None:
        """Have packets dropped."""
        addresses = _addresses(spot, chosen)
        if spot.router is not None:
            spot.router.cut_off(spot.machine.id, addresses)
        else:
            cut_off(spot.transport, spot.machine, addresses, doing="begin")

    def end(self, spot: Spot) -> None:
        """Let them pass again."""
        if spot.router is not None:
            spot.router.cut_off(spot.machine.id, [])
        else:
            cut_off(spot.transport, spot.machine, [], doing="end")


def _addresses(spot: Spot, chosen: Mapping[str, Scalar]) -> list[str]:
    """Return the addresses that the machine is cut off from; raises `UsageError` for none."""
    wanted = str(chosen[_FROM])
    found = [
        address
        for name, address in spot.others.items()
        if wanted in ("", name, name.partition(".")[0])
    ]
    if found:
        return found
    if not spot.others:
        raise TargetError(
            f"{spot.machine.name} is the lab's only machine: there is nothing to cut it off from",
            "labctl scale LAB ROLE 2 gives it company",
        )
    roles = dict.fromkeys(name.partition(".")[0] for name in spot.others)
    raise UsageError(
        f"no machine '{wanted}' to cut {spot.machine.name} off from",
        f"there are {', '.join([*roles, *spot.others])}",
    )
