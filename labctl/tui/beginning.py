"""All that the screens need and the first frame does not: loaded in a thread, once that is drawn.

Importing the core and the panels takes longer than the rest of the start; a module that the first
frame needs must not import this one but in a function.
"""

from __future__ import annotations

from dataclasses import dataclass

from labctl.engine.choices import Choices
from labctl.tui.keys import AllKeys
from labctl.tui.labs import Found, Labs, find
from labctl.tui.panels.registry import panels
from labctl.tui.screens.catalogue import CatalogueScreen
from labctl.tui.screens.lab import LabScreen
from labctl.tui.standings import Standings


@dataclass(frozen=True)
class Beginning:
    """What is known before the first screen is shown; `lab` is None for the catalogue."""

    labs: Labs
    standings: Standings
    keys: AllKeys
    lab: Found | None

    def screen(self) -> CatalogueScreen | LabScreen:
        """Return the first screen; called on the screen's own loop."""
        return CatalogueScreen(self.labs) if self.lab is None else LabScreen(*self.lab)


def load(choices: Choices, name: str) -> Beginning:
    """Read the catalogue and the lab of this name, if any; mistakes are `LabctlError`s."""
    panels()  # imports them
    lab = find(name, choices) if name else None
    return Beginning(Labs(choices), Standings(), AllKeys(), lab)
