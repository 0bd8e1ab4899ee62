"""Asks before something is destroyed, naming what will go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from labctl.text import one_line

_MOST = 200


class Confirm(ModalScreen[bool]):
    """Gives True for yes; escape and `n` are no."""

    CSS_PATH = "modal.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape", "answer(False)", "No"),
    ]

    def __init__(self, question: str, names: Sequence[str] = ()) -> None:
        super().__init__()
        self._question, self._names = question, names

    def compose(self) -> ComposeResult:
        """Lay out the question, what will go, and the two answers."""
        with Vertical(classes="dialog"):
            yield Static(one_line(self._question), classes="question", markup=False)
            with VerticalScroll():
                lines = "\n".join(one_line(name) for name in self._names[:_MOST])
                yield Static(lines, markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Yes (y)", id="yes", variant="error", compact=True)
                yield Button("No (n)", id="no", compact=True)

    def on_mount(self) -> None:
        """Let the harmless answer be the one under the finger."""
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Take the answer by key."""
        self.dismiss(yes)
