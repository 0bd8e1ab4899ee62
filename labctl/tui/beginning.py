"""What the first screen needs and the first frame does not: loaded in a thread, once that is drawn.

Importing the core takes longer than the rest of the start: the catalogue is shown without it, and
a lab's screen with as little of it as reads the lab's file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.engine.choices import Choices
from labctl.tui.keys import AllKeys
from labctl.tui.labs import Found, Labs, find
from labctl.tui.screens.catalogue import CatalogueScreen
from labctl.tui.standings import Standings

if TYPE_CHECKING:
    from labctl.tui.screens.lab import LabScreen


@dataclass(frozen=True)
class Beginning:
    """What is known before the first screen is shown; `lab` is None for the catalogue."""

    labs: Labs
    standings: Standings
    keys: AllKeys
    lab: Found | None

    def screen(self) -> CatalogueScreen | LabScreen:
        """Return the first screen; called on the screen's own loop."""
        if self.lab is None:
            return CatalogueScreen(self.labs)

        from labctl.tui.screens.lab import LabScreen

        return LabScreen(*self.lab)


def load(choices: Choices, name: str) -> Beginning:
    """Read the catalogue and the lab of this name, if any; mistakes are `LabctlError`s."""
    labs, lab = Labs(choices), None
    if name:
        prepare_labs()
        lab = find(name, choices)
    return Beginning(labs, Standings(), AllKeys(), lab)


def prepare_labs() -> None:
    """Import what a lab's screen shows; called in a thread before the first is made."""
    from labctl.tui.panels.registry import panels

    panels()
