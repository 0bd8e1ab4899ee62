"""Shows what an action did or found: a line a fact, pictures as half blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from labctl.actions.base import Fact
from labctl.actions.picture_text import lines_of
from labctl.text import harmless, one_line

MOST_FACTS = 500


class Results(ModalScreen[None]):
    """The facts; those that failed say so in words."""

    CSS_PATH = "modal.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "close", "Close")]

    def __init__(self, title: str, facts: Sequence[Fact]) -> None:
        super().__init__()
        self._title, self._facts = title, facts

    def compose(self) -> ComposeResult:
        """Lay out the facts."""
        with Vertical(classes="dialog"):
            yield Static(one_line(self._title), classes="question", markup=False)
            with VerticalScroll(id="results"):
                for part in self._parts():
                    yield Static(part, markup=False)
            yield Static("Enter closes", markup=False)

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one("#results").focus()

    def _parts(self) -> Iterable[Text]:
        """Yield the lines between two pictures as one text: a widget a line would be dear."""
        lines: list[str] = []
        for fact in self._facts[:MOST_FACTS]:
            lines.append(f"{'' if fact.ok else 'FAILED  '}{harmless(fact.say, limit=2000)}")
            if fact.picture is not None:
                yield Text("\n".join(lines))
                yield Text("\n").join(lines_of(fact.picture, coloured=not self.app.no_color))
                lines = []
        if len(self._facts) > MOST_FACTS:
            lines.append(f"... and {len(self._facts) - MOST_FACTS} more")
        if lines or not self._facts:
            yield Text("\n".join(lines) or "nothing")

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)
