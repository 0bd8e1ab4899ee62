"""What a panel is: one view of a session, drawn from the view model a few times a second."""

from __future__ import annotations

from typing import ClassVar

from textual.containers import Vertical

from labctl.tui.view import SessionView


class Panel(Vertical):
    """A titled box that takes the focus; its children never call the target themselves."""

    can_focus = True
    panel: ClassVar[str]  # the name in a lab file's `panels:`
    heading: ClassVar[str]
    takes_keys: ClassVar[str] = ""  # the selector of the child to which the focus goes on

    def on_mount(self) -> None:
        """Write the title into the border."""
        self.border_title = self.heading
        if self.has_focus:  # it came before the children
            self.on_focus()

    def on_focus(self) -> None:
        """Give the keys to the child that takes them."""
        if self.takes_keys:
            for child in self.query(self.takes_keys).results():
                child.focus()

    def show(self, view: SessionView, now: float) -> None:
        """Draw the view; called on the screen's own loop, so it must be quick."""
        raise NotImplementedError
