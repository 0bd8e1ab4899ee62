"""A text that is drawn only when it says something else: panels put it many times a second."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static


class SteadyText(Static):
    """Plain or styled text; markup in it is text too."""

    def __init__(self, text: str = "", *, id: str, one_line: bool = False) -> None:
        super().__init__(text, id=id, markup=False)
        self._said: str | Text = text
        self._one_line = one_line  # then nothing else moves when it changes

    def put(self, text: str | Text) -> None:
        """Say this from now on."""
        if text != self._said:
            self._said = text
            self.update(text, layout=not self._one_line)
