"""Lists every key and what it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.keys import format_key
from textual.screen import ModalScreen
from textual.widgets import Static

from labctl.text import one_line

CREDENTIALS_TIP = "Until when the credentials last; paste new ones"
_HIDDEN = ("ctrl+c", "super+c", "ctrl+q")  # the terminal's own, not ours to explain


class Help(ModalScreen[None]):
    """The keys, group by group."""

    CSS_PATH = "modal.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,question_mark", "close", "Close")
    ]

    def __init__(self, groups: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self._groups = groups

    def compose(self) -> ComposeResult:
        """Lay out the groups."""
        lines: list[str] = []
        for heading, keys in self._groups.items():
            lines += [heading, *(f"  {key}" for key in keys), ""]
        with Vertical(classes="dialog"):
            yield Static("Keys", classes="question", markup=False)
            with VerticalScroll(id="help"):
                yield Static("\n".join(lines).rstrip(), markup=False)
            yield Static("Enter closes", markup=False)

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one("#help").focus()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)


def key_lines(bindings: Iterable[BindingType]) -> list[str]:
    """Return a line for each binding, but for those shown elsewhere: its key, what it does."""
    lines = []
    for binding in Binding.make_bindings(bindings):
        if binding.key in _HIDDEN or _is_told_elsewhere(binding.action):
            continue
        say = one_line(binding.tooltip or binding.description)
        lines.append(f"{format_key(binding.key):<9} {say}")
    return lines


def _is_told_elsewhere(action: str) -> bool:
    return action.startswith(("panel(", "app.")) and action != "app.credentials"
