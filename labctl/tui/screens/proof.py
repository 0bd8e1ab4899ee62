"""Shows what a teardown proved."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from labctl.events import TeardownProved
from labctl.telling import proof_lines


class Proof(ModalScreen[None]):
    """The proof, a line a fact."""

    CSS_PATH = "modal.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "close", "Close")]

    def __init__(self, proof: TeardownProved) -> None:
        super().__init__()
        self._proof = proof

    def compose(self) -> ComposeResult:
        """Lay out the lines."""
        title = "Nothing is left" if self._proof.ok else "Something is left"
        with Vertical(classes="dialog"):
            yield Static(title, classes="question", markup=False)
            with VerticalScroll():
                yield Static("\n".join(proof_lines(self._proof)), markup=False)
            yield Static("Enter closes", markup=False)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)
