"""The lines of the log as a widget that draws only those seen: a thousand more cost nothing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from labctl.text import one_line
from labctl.tui.view import LogLine

_KEPT = 5000
_WIDEST = 400  # characters of a line's text; the arrow keys go to what does not fit
_CLOCK_WIDTH = len("00:00:00 ! ")
_MARKS = {"info": " ", "warning": "!", "error": "x"}
_STYLES = {"info": Style(), "warning": Style(bold=True), "error": Style(bold=True, reverse=True)}
_DIM = Style(dim=True)


class LogLines(ScrollView):
    """Keeps the latest lines, and stays at the foot unless one has scrolled up."""

    # The bar is always there: one that comes later does not know where it stands.
    DEFAULT_CSS = "LogLines { height: 1fr; overflow: auto scroll; scrollbar-size-horizontal: 0; }"

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self._lines: deque[LogLine] = deque(maxlen=_KEPT)
        self._follows = True

    def add(self, lines: Sequence[LogLine]) -> None:
        """Append lines."""
        self._lines.extend(lines)
        widest = max((min(len(line.text), _WIDEST) for line in lines), default=0) + _CLOCK_WIDTH
        self.virtual_size = Size(max(widest, self.virtual_size.width), len(self._lines))
        self.vertical_scrollbar.window_virtual_size = len(self._lines)
        self._go_to_foot()
        self.refresh()

    def on_resize(self) -> None:
        """Find the foot again: while it was hidden there was none."""
        self._go_to_foot()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow the latest line from when one is at the foot until one scrolls up."""
        super().watch_scroll_y(old_value, new_value)
        if new_value >= self.max_scroll_y:
            self._follows = True
        elif new_value < old_value:
            self._follows = False

    def _go_to_foot(self) -> None:
        if self._follows and self.size.height:
            self.scroll_end(animate=False, x_axis=False)

    def clear(self) -> None:
        """Forget every line."""
        self._lines.clear()
        self.virtual_size, self._follows = Size(0, 0), True
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one row of what is seen."""
        left, top = self.scroll_offset
        width, style = self.scrollable_content_region.width, self.rich_style
        if top + y >= len(self._lines):
            return Strip.blank(width, style)
        line = self._lines[top + y]
        clock = time.strftime("%H:%M:%S", time.localtime(line.at))
        text = one_line(line.text, limit=_WIDEST)
        strip = Strip(
            [
                Segment(f"{clock} {_MARKS[line.level]} ", style + _DIM),
                Segment(text, style + _STYLES[line.level]),
            ]
        )
        return strip.crop_extend(left, left + width, style)
