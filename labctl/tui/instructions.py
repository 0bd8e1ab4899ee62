"""Where a lab's instructions stand; what draws Markdown is imported when there are some to draw."""

from __future__ import annotations

from textual.containers import Vertical


class Instructions(Vertical):
    """A README; empty at first."""

    DEFAULT_CSS = "Instructions { height: auto; }"

    def put(self, text: str) -> None:
        """Show these instructions; `prepare` was called before, in a thread."""
        from labctl.tui.markdown import Readme

        shown = self.query(Readme)
        if shown:
            shown.first().update(text)
        else:
            self.mount(Readme(text))


def prepare() -> None:
    """Import what draws instructions: it takes as long as half a first frame."""
    import labctl.tui.markdown  # noqa: F401 - loaded for `Instructions.put`
