"""What a fault is: a harm that is done on purpose to one machine of a lab, and undone again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from labctl.errors import TargetError
from labctl.spec.params import Param, Scalar
from labctl.targets.base import Router
from labctl.transport.base import Machine, Transport

Touched = Literal["processes", "routes", "speed"]


@dataclass(frozen=True)
class Spot:
    """The machine that a fault is done to, and what the fault may use there."""

    machine: Machine
    transport: Transport
    router: Router | None  # what holds back its traffic; None: it does so itself
    services: tuple[str, ...]  # of its agents, those that run; to undo: those that ran
    stop_timeout_s: float  # the longest that one of them may take to end
    others: Mapping[str, str]  # the private addresses of the lab's other machines, by name


class Fault(ABC):
    """One kind of fault. Instances are stateless; errors are `LabctlError`s.

    Doing one that is done already changes nothing, and so does undoing what was never done.
    """

    name: ClassVar[str]  # "stop": the command
    say: ClassVar[str]  # what it does: a short sentence, and more in a paragraph of its own
    touches: ClassVar[Touched]  # two faults never hold the same of one machine
    passes: ClassVar[bool] = False  # without a time it is over at once: nothing is undone
    options: ClassVar[Mapping[str, Param]] = {}

    def what(self, chosen: Mapping[str, Scalar]) -> str:
        """Return the fault in words: "delay of 100 ms"."""
        return self.name

    @abstractmethod
    def refuse(self, spot: Spot, chosen: Mapping[str, Scalar]) -> None:
        """Raise for what cannot be done there; asked of every machine before any is touched."""

    @abstractmethod
    def begin(self, spot: Spot, chosen: Mapping[str, Scalar], *, held: bool) -> None:
        """Do it; `held` when it is to last until it is undone."""

    @abstractmethod
    def end(self, spot: Spot) -> None:
        """Undo it."""


class ServiceFault(Fault):
    """A fault of the services that the lab's agents are on a machine."""

    touches = "processes"

    def refuse(self, spot: Spot, chosen: Mapping[str, Scalar]) -> None:
        """Raise where no agent runs."""
        if not spot.services:
            raise TargetError(
                f"no agent runs on {spot.machine.name}: there is nothing to {self.name}",
                "labctl status LAB shows what does; labctl up LAB starts what should",
            )
