"""The words of a plan: what a lab wants, what was seen, and the steps between the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Action = Literal["create", "keep", "update", "replace", "delete", "push"]


@dataclass(frozen=True)
class Change:
    """One difference between the lab file and the target; `replace` when no update can mend it."""

    field: str
    have: str
    want: str
    action: Literal["update", "replace"] = "update"

    def __str__(self) -> str:
        return f"{self.field}: {self.have} -> {self.want}"


@dataclass(frozen=True)
class Want:
    """One resource that the lab file asks for, with the resources it needs first."""

    resource: str
    kind: str
    name: str
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Push:
    """One agent that the lab file asks for on a role."""

    agent: str
    role: str
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Seen:
    """How a resource stands on the target; `changes` is None while its needs are not there."""

    exists: bool
    changes: tuple[Change, ...] | None = ()


@dataclass(frozen=True)
class Owned:
    """A resource that the ledger knows, wanted by the lab file or not any more."""

    resource: str
    kind: str
    name: str
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Step:
    """One thing to do; it may start when every step named in `after` is done."""

    id: str
    action: Action
    resource: str
    kind: str
    name: str
    reason: str
    after: frozenset[str] = frozenset()

    def as_record(self) -> Mapping[str, str]:
        """Return what a face shows of the step."""
        return {
            "action": self.action,
            "resource": self.resource,
            "kind": self.kind,
            "name": self.name,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Plan:
    """An ordered graph of steps: no step stands before one that it comes after."""

    steps: tuple[Step, ...]

    @property
    def changes_something(self) -> bool:
        """Whether any resource would be created, changed or deleted."""
        return any(step.action not in ("keep", "push") for step in self.steps)

    def count(self, *actions: Action) -> int:
        """Return how many steps have one of these actions."""
        return sum(step.action in actions for step in self.steps)
