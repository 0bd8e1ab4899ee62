"""A box for a pasted secret: it holds the text and never shows any of it."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.widget import Widget

from labctl.targets.key_file import LONGEST_PASTE
from labctl.tui.key_words import paste_words


class PasteBox(Widget, can_focus=True):
    """Takes a paste, or what is typed; says only how much it is and what is missing."""

    DEFAULT_CSS = """
    PasteBox {
        height: auto; min-height: 3; max-height: 6;
        border: round $secondary; padding: 0 1; background: $panel;
    }
    PasteBox:focus { border: heavy $primary; }
    """
    BINDINGS = [
        Binding("ctrl+u,backspace,delete", "clear", "Clear", tooltip="Forget what was pasted"),
    ]

    class Whole(Message):
        """Enter was pressed, and what is held is whole."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self._held = ""

    @property
    def is_whole(self) -> bool:
        """Whether what is held could be saved."""
        return paste_words(self._held)[1]

    def hold(self, text: str) -> None:
        """Add a pasted text; with one that is no block by its length, only that is held."""
        pieces = [piece for piece in (self._held.rstrip("\n"), text) if piece]
        both = "\n".join(pieces)
        self._held = both if len(both) <= LONGEST_PASTE else text
        self.refresh()

    def give(self) -> str:
        """Return what is held."""
        return self._held

    def action_clear(self) -> None:
        """Forget what is held."""
        self._held = ""
        self.refresh()

    def on_paste(self, event: events.Paste) -> None:
        """Take a whole block at once."""
        event.stop()
        self.hold(event.text)

    def on_key(self, event: events.Key) -> None:
        """Take what a terminal without bracketed paste types."""
        if event.key in ("enter", "ctrl+j"):  # the second is a bare line feed
            event.stop()
            if self.is_whole:
                self.post_message(self.Whole())
            else:
                self._type("\n")
        elif event.is_printable and event.character:
            event.stop()
            self._type(event.character)

    def _type(self, character: str) -> None:
        if len(self._held) <= LONGEST_PASTE:
            self._held += character
            self.refresh()

    def render(self) -> Text:
        """Return what may be said of it."""
        how = "" if self._held or self.has_focus else "; Tab takes what is typed"
        return Text(paste_words(self._held)[0] + how)
