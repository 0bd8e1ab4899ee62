"""A lab's instructions as they are shown: Markdown in which code stands as it is."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownFence


class _Fence(MarkdownFence):
    """A block of code in one colour: guessing its language takes longer than all the rest."""

    @classmethod
    def highlight(cls, code: str, language: str, ansi: bool = False, dark: bool = False) -> Content:
        """Return the code as it stands."""
        return Content(code)


class Readme(Markdown):
    """A README; its links are text."""

    BLOCKS = {**Markdown.BLOCKS, "fence": _Fence, "code_block": _Fence}

    def __init__(self, text: str) -> None:
        super().__init__(text, open_links=False)
