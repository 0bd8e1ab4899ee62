"""Panel `log`: the event stream, by level, source and text."""

from __future__ import annotations

import time
from itertools import islice

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Input

from labctl.text import one_line
from labctl.tui.log_lines import LogLines
from labctl.tui.log_sources import SOURCES, source_of
from labctl.tui.panels.base import Panel
from labctl.tui.view import LogLine, SessionView

_LEVELS = ("info", "warning", "error")


class LogPanel(Panel):
    """The lines of the session, the latest at the foot; keys narrow them."""

    panel = "log"
    heading = "Log"
    BINDINGS = [
        Binding("l", "level", "Level", tooltip="Show only warnings and errors, or errors, or all"),
        Binding("o", "source", "Source", tooltip="Show only what is about machines, jobs, ..."),
        Binding("slash", "search", "Search", tooltip="Show only lines that hold a text"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._shown = 0  # the number of the latest line that was drawn
        self._least = 0
        self._text = self._source = ""
        self._view: SessionView | None = None

    def compose(self) -> ComposeResult:
        """Lay out the lines and the search field, which is hidden at first."""
        yield LogLines(id="log-lines")
        field = Input(placeholder="text, then Enter; empty shows all", id="log-search")
        field.display = False
        yield field

    def show(self, view: SessionView, now: float) -> None:
        """Draw the lines that came since the last time."""
        if self._view is not view:
            self._view, self._shown = view, 0
            self.query_one("#log-lines", LogLines).clear()
        new = view.logged - self._shown
        if new <= 0:
            return
        latest = islice(view.log, max(0, len(view.log) - new), None)
        wanted = [line for line in latest if self._wanted(line)]
        self.query_one("#log-lines", LogLines).add(wanted)
        self._shown = view.logged

    def action_level(self) -> None:
        """Change the least level that is shown."""
        self._least = (self._least + 1) % len(_LEVELS)
        self._redraw()

    def action_source(self) -> None:
        """Change what the shown lines are about, to the next of which there are any."""
        there = {source_of(line.source) for line in self._view.log} if self._view else set()
        after = SOURCES[SOURCES.index(self._source) + 1 :]
        self._source = next((source for source in after if source in there), "")
        self._redraw()

    def action_search(self) -> None:
        """Ask for a text."""
        field = self.query_one("#log-search", Input)
        field.display = True
        field.focus()

    @on(Input.Submitted, "#log-search")
    def _search(self, event: Input.Submitted) -> None:
        self._text = event.value.lower()
        event.input.display = False
        self.focus()
        self._redraw()

    def _wanted(self, line: LogLine) -> bool:
        if _LEVELS.index(line.level) < self._least:
            return False
        if self._source and source_of(line.source) != self._source:
            return False
        return self._text in line.text.lower() or self._text in line.source.lower()

    def _redraw(self) -> None:
        shown = [f"from {_LEVELS[self._least]}"] if self._least else []
        shown += [self._source] if self._source else []
        shown += [f"with '{one_line(self._text, limit=30)}'"] if self._text else []
        self.border_subtitle = Text(", ".join(shown)) if shown else ""
        self._shown = 0
        self.query_one("#log-lines", LogLines).clear()
        if self._view is not None:
            self.show(self._view, time.time())
