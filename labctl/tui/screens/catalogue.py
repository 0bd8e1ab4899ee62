"""The catalogue: every lab by course with its state; the chosen one's instructions beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Markdown, OptionList, Static
from textual.widgets.option_list import Option

from labctl.engine.opening import Choices
from labctl.errors import LabctlError
from labctl.ledger.sessions import known_sessions
from labctl.paths import state_folder
from labctl.spec.catalogue import load_catalogue
from labctl.text import harmless, one_line

if TYPE_CHECKING:
    from labctl.tui.app import LabctlApp


class CatalogueScreen(Screen[None]):
    """Enter opens a lab."""

    app: LabctlApp
    CSS_PATH = "catalogue.tcss"

    def __init__(self, choices: Choices) -> None:
        super().__init__()
        self._catalogue = load_catalogue(choices.catalogue_file)

    def compose(self) -> ComposeResult:
        """Lay out the labs and the instructions."""
        yield Static("labctl: labs", id="head")
        with Horizontal():
            yield OptionList(id="labs")
            with VerticalScroll(id="about"):
                yield Markdown("", id="readme", open_links=False)
        yield Footer()

    def on_mount(self) -> None:
        """List the labs."""
        up = {record.lab for record in known_sessions(state_folder())}
        labs = self.query_one("#labs", OptionList)
        for entry in self._catalogue.labs.values():
            state = "up" if entry.name in up else "not started"
            labs.add_option(Option(one_line(f"{entry.name}  ({state})"), id=entry.name))
        labs.highlighted = 0
        labs.focus()

    @on(OptionList.OptionHighlighted, "#labs")
    def _describe(self, event: OptionList.OptionHighlighted) -> None:
        entry = self._catalogue.labs[str(event.option_id)]
        readme = entry.path.with_name("README.md")
        text = (
            harmless(readme.read_text(encoding="utf-8"), limit=100_000) if readme.exists() else ""
        )
        self.query_one("#readme", Markdown).update(text)

    @on(OptionList.OptionSelected, "#labs")
    def _open(self, event: OptionList.OptionSelected) -> None:
        try:
            self.app.open_lab(str(event.option_id))
        except LabctlError as error:
            self.notify(f"{error.message}\n{error.hint}", severity="error", markup=False)
