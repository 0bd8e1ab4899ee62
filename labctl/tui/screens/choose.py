"""Offers a list to choose from; typing narrows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from labctl.text import one_line


@dataclass(frozen=True)
class Choice:
    """One thing to choose: what it is called, what it does, and what is given when it is chosen."""

    id: str
    say: str
    tip: str = ""

    def fits(self, typed: str) -> bool:
        """Whether every typed word is in it."""
        text = f"{self.say} {self.tip}".lower()
        return all(word in text for word in typed.lower().split())


class Choose(ModalScreen[str]):
    """Gives the id of what was chosen, or None."""

    CSS_PATH = "modal.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "move(1)", "Down", show=False, priority=True),
        Binding("up", "move(-1)", "Up", show=False, priority=True),
    ]

    def __init__(self, title: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title, self._choices = title, choices

    def compose(self) -> ComposeResult:
        """Lay out the field to type into and the list."""
        with Vertical(classes="dialog"):
            yield Static(one_line(self._title), classes="question", markup=False)
            yield Input(
                placeholder="type to filter; Enter chooses", id="choose-filter", compact=True
            )
            yield OptionList(id="choose-list")

    def on_mount(self) -> None:
        """Show all of them."""
        self._list("")
        self.query_one("#choose-filter", Input).focus()

    def _list(self, typed: str) -> None:
        shown = self.query_one("#choose-list", OptionList)
        shown.clear_options()
        fitting = [choice for choice in self._choices if choice.fits(typed)]
        fitting.sort(key=lambda choice: not choice.say.lower().startswith(typed.lower()))
        shown.add_options([Option(_drawn(choice), id=choice.id) for choice in fitting])
        shown.highlighted = 0 if fitting else None

    @on(Input.Changed, "#choose-filter")
    def _narrow(self, event: Input.Changed) -> None:
        self._list(event.value)

    @on(Input.Submitted, "#choose-filter")
    def _take(self) -> None:
        self.query_one("#choose-list", OptionList).action_select()

    @on(OptionList.OptionSelected, "#choose-list")
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def action_move(self, by: int) -> None:
        """Move the mark while the keyboard stays in the field."""
        shown = self.query_one("#choose-list", OptionList)
        if by > 0:
            shown.action_cursor_down()
        else:
            shown.action_cursor_up()

    def action_close(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


def _drawn(choice: Choice) -> Text:
    text = Text(one_line(choice.say, limit=80))
    if choice.tip:
        text.append(f"  {one_line(choice.tip, limit=120)}", "dim")
    return text
