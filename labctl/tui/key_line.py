"""The keys at the foot of a screen as one text; a widget for each key is made anew at every change.

With that a change of the panel took three times as long: a dozen widgets mounted, styled, laid out.
"""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.screen import Screen
from textual.widgets import Static

from labctl.text import one_line


class KeyLine(Static):
    """Shows the keys that do something now; a click on one is as good as the key."""

    DEFAULT_CSS = """
    KeyLine {
        dock: bottom; height: 1; background: $footer-background; text-wrap: nowrap;
        link-style: none; link-color: $foreground;
    }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._said = Text()

    def on_mount(self) -> None:
        """Follow what changes the keys: the focus, and what can be done now."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self.call_after_refresh(self._changed, self.screen)

    def _changed(self, screen: Screen[object]) -> None:
        text = Text(no_wrap=True)
        said = set()
        for _, binding, enabled, _ in screen.active_bindings.values():
            if not binding.show or not enabled or binding.action in said:
                continue
            said.add(binding.action)
            click = Style.from_meta({"@click": f"app.simulate_key({binding.key!r})"})
            text.append(f" {self.app.get_key_display(binding)}", Style(bold=True) + click)
            text.append(f" {one_line(binding.description)} ", click)
        if text != self._said:
            self._said = text
            self.update(text, layout=False)
