"""What an action gave so far: its thread adds, the screen shows it as it comes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from labctl.actions.base import Fact


@dataclass
class Gathered:
    """The facts of one action, the oldest first."""

    name: str
    facts: list[Fact] = field(default_factory=list)
    ended: bool = False

    def take(self, facts: Iterable[Fact]) -> None:
        """Add every fact as it comes; called in the action's thread."""
        try:
            for fact in facts:
                self.facts.append(fact)
        finally:
            self.ended = True

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return sum(not fact.ok for fact in self.facts)

    @property
    def title(self) -> str:
        """What to say of all of them."""
        failures = f", {self.failed} of them failed" if self.failed else ""
        so_far = "in all" if self.ended else "so far"
        return f"{self.name}: {len(self.facts)} {so_far}{failures}"
