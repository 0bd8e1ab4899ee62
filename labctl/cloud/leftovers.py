"""Ends what a cloud whose daemon was killed left running."""

from __future__ import annotations

from labctl.cloud.layout import Layout
from labctl.cloud.processes import kill_all, marked

_GRACE_S = 8.0  # an emulator that lost its daemon saves before it goes
_DEADLINE_S = 30.0


def clear_leftovers(layout: Layout) -> list[int]:
    """End every process of this cloud but the calling one; return those that do not end."""
    return kill_all(
        lambda: marked(layout.marks()), grace_s=_GRACE_S, deadline_s=_GRACE_S + _DEADLINE_S
    )
