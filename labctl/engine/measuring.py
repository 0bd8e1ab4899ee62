"""Takes from the events of a command how long its steps took, to know better the next time."""

from __future__ import annotations

import threading

from labctl import events as e
from labctl.ledger.durations import Measured
from labctl.plan.expect import AGENT, INSTANCE, MACHINE, PUSH, READY

_CHANGES = ("create", "update", "replace", "delete")


class Measuring:
    """A sink that keeps the durations of one command; of machines and agents the longest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: list[Measured] = []
        self._launched: set[str] = set()  # roles: what stood already is ready at once
        self._longest: dict[tuple[str, str, str], float] = {}

    def __call__(self, at: float, event: e.Event) -> None:
        with self._lock:
            match event:
                case e.StepFinished() if event.action in _CHANGES:
                    self._steps.append((event.kind, event.action, event.seconds))
                    if event.kind == INSTANCE and event.action != "delete":
                        self._launched.add(event.resource)
                case e.MachineReady() if event.machine.rpartition(".")[0] in self._launched:
                    self._note((MACHINE, READY, event.machine.rpartition(".")[0]), event.seconds)
                case e.AgentReady() if event.changed:
                    self._note((AGENT, PUSH, event.agent), event.seconds)

    def _note(self, key: tuple[str, str, str], seconds: float) -> None:
        self._longest[key] = max(seconds, self._longest.get(key, 0.0))

    def measured(self) -> list[Measured]:
        """Return what was measured so far."""
        with self._lock:
            longest = [(kind, action, s) for (kind, action, _), s in self._longest.items()]
            return [*self._steps, *longest]
