"""What the events tell of the faults that are on: which, where, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field

from labctl import events as e
from labctl.telling import seconds
from labctl.text import one_line

_KEPT = 2000  # a foreign file must not fill memory


@dataclass
class FaultsView:
    """The faults that are on, by what they are and the machine's id."""

    on: dict[tuple[str, str], e.FaultBegan] = field(default_factory=dict)

    def take(self, event: e.FaultBegan | e.FaultEnded) -> None:
        """Take an event into account."""
        key = (event.fault, event.id)
        if isinstance(event, e.FaultEnded):
            self.on.pop(key, None)
        elif not event.once and (key in self.on or len(self.on) < _KEPT):
            self.on[key] = event

    def said(self, now: float) -> str:
        """Return the faults in a line, the first of them by name; nothing where none is on."""
        if not self.on:
            return ""
        first = next(iter(self.on.values()))
        more = f" and {len(self.on) - 1} more" if len(self.on) > 1 else ""
        return one_line(f"FAULT {first.what} on {first.machine}{more}{_left(first, now)}")


def _left(fault: e.FaultBegan, now: float) -> str:
    if not fault.until:
        return ""
    left_s = fault.until - now
    return f", {seconds(round(left_s))} left" if left_s > 0 else ", its time is over"
