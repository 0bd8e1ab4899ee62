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
from labctl.tui.gathered import Gathered

MOST_FACTS = 500
_LOOKS_PER_S = 10


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
                for part in self._parts(self._facts):
                    yield Static(part, markup=False)
            yield Static("Enter closes", markup=False)

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one("#results").focus()

    def _parts(self, facts: Sequence[Fact]) -> Iterable[Text]:
        """Yield the lines between two pictures as one text: a widget a line would be dear."""
        lines: list[str] = []
        for fact in facts[:MOST_FACTS]:
            lines.append(f"{'' if fact.ok else 'FAILED  '}{harmless(fact.say, limit=2000)}")
            if fact.picture is not None:
                yield Text("\n".join(lines))
                yield Text("\n").join(lines_of(fact.picture, coloured=not self.app.no_color))
                lines = []
        if len(facts) > MOST_FACTS:
            lines.append(f"... and {len(facts) - MOST_FACTS} more")
        if lines or not facts:
            yield Text("\n".join(lines) or "nothing")

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)


class LiveResults(Results):
    """The facts of an action that goes on, as they come; closing it stops nothing."""

    def __init__(self, gathered: Gathered) -> None:
        super().__init__(gathered.title, ())
        self._gathered, self._drawn = gathered, 0

    def on_mount(self) -> None:
        """Begin to look for more."""
        super().on_mount()
        self.query_one("#results", VerticalScroll).anchor()
        self._looking = self.set_interval(1 / _LOOKS_PER_S, self._more)

    def _parts(self, facts: Sequence[Fact]) -> Iterable[Text]:
        return super()._parts(facts) if facts else ()

    def _more(self) -> None:
        ended = self._gathered.ended  # asked first: no fact comes after it
        new = self._gathered.facts[self._drawn : MOST_FACTS]
        self._drawn += len(new)
        parts = list(self._parts(new))
        if ended:
            self._looking.stop()
            beyond = len(self._gathered.facts) - self._drawn
            parts += [Text(f"... and {beyond} more")] if beyond else []
            parts += [] if self._drawn else [Text("nothing")]
        if parts or ended:
            shown = self.query_one("#results", VerticalScroll)
            shown.mount_all(Static(part, markup=False) for part in parts)
            self.query_one(".question", Static).update(one_line(self._gathered.title))
