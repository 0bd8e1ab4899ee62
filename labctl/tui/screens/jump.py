"""Jump mode: one more key says which panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from labctl.text import one_line


def jump_keys(headings: Sequence[str]) -> dict[str, int]:
    """Return the key of each panel: its number, and its first letter that no other has."""
    keys = {str(number + 1): number for number in range(min(9, len(headings)))}
    for number, heading in enumerate(headings):
        free = [letter for letter in heading.lower() if letter.isalpha() and letter not in keys]
        if free:
            keys[free[0]] = number
    return keys


class Jump(ModalScreen[int]):
    """Gives the place of the panel whose key was pressed; any other key goes back."""

    CSS_PATH = "modal.tcss"

    def __init__(self, headings: Sequence[str]) -> None:
        super().__init__()
        self._headings = headings
        self._keys: Mapping[str, int] = jump_keys(headings)

    def compose(self) -> ComposeResult:
        """Lay out the panels with their keys."""
        lines = []
        for number, heading in enumerate(self._headings):
            keys = " or ".join(key for key, place in self._keys.items() if place == number)
            lines.append(f"{keys:<6}  {one_line(heading)}")
        with Vertical(classes="dialog"):
            yield Static("Go to", classes="question", markup=False)
            yield Static("\n".join(lines), markup=False)

    def on_key(self, event: events.Key) -> None:
        """Take the key."""
        event.stop()
        event.prevent_default()
        self.dismiss(self._keys.get(event.key))
