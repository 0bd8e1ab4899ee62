"""The session screen: the catalogue, and a screen for each lab that is opened from it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from labctl.engine.opening import Choices
from labctl.engine.vocabulary import vocabulary
from labctl.spec.catalogue import find_lab, load_catalogue
from labctl.spec.load import load_lab
from labctl.tui.screens.catalogue import CatalogueScreen
from labctl.tui.screens.lab import LabScreen
from labctl.tui.theme import DARK, LIGHT


class LabctlApp(App[str]):
    """Shows what the facade and the events files tell; it has no logic of its own.

    It returns what to say when it has ended: how to come back.
    """

    TITLE = "labctl"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Quit", tooltip="Quit; labs that are up stay up", priority=False),
        Binding("ctrl+t", "turn_theme", "Light or dark", show=False),
    ]

    def __init__(self, choices: Choices, *, lab: str = "") -> None:
        super().__init__()
        self.choices, self._lab = choices, lab

    def on_mount(self) -> None:
        """Dress, and begin."""
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        self.begin()

    def begin(self) -> None:
        """Show the catalogue, or the lab that was asked for."""
        self.push_screen(CatalogueScreen(self.choices))
        if self._lab:
            self.open_lab(self._lab)

    def open_lab(self, name: str) -> None:
        """Show a lab's screen; a wrong lab file is a `LabctlError`."""
        catalogue = load_catalogue(self.choices.catalogue_file)
        lab = load_lab(find_lab(name, catalogue), vocabulary(), settings=self.choices.settings)
        self.push_screen(LabScreen(lab, self.choices))

    def action_turn_theme(self) -> None:
        """Change between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_leave(self) -> None:
        """Quit at once; labs stay up."""
        self.exit("labs that are up stay up; next: labctl status   or: labctl")
