"""Panel `queues`: how full each queue is, how that changes, and when it will be empty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from labctl.telling import seconds
from labctl.text import one_line
from labctl.tui.panels.base import Panel
from labctl.tui.view import QueueView, SessionView

_BARS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_WIDE = 60  # columns from which the sparkline has room


class QueuesPanel(Panel):
    """A row a queue: visible, in flight, delayed, the change a second, the last minutes."""

    panel = "queues"
    heading = "Queues"

    def __init__(self) -> None:
        super().__init__()
        self._drawn: object = None  # what the table shows now
        self._place: object = None  # what its size goes by

    def compose(self) -> ComposeResult:
        """Lay out the table."""
        yield Static("", id="queues-table")

    def show(self, view: SessionView, now: float) -> None:
        """Draw the table, where a queue was looked at since: a table is dear to draw."""
        place = (self.size.width, len(view.queues))
        shown = (place, [queue.last for queue in view.queues.values()])
        if shown != self._drawn:
            table = self.query_one("#queues-table", Static)
            table.update(_table(view, self.size.width), layout=place != self._place)
            self._drawn, self._place = shown, place


def _table(view: SessionView, width: int) -> Table | Text:
    if not view.queues:
        return Text("No queue was looked at yet.")
    table = Table(box=None, expand=True, pad_edge=False)
    for column in ("queue", "visible", "in flight", "delayed", "per s", "empty in"):
        table.add_column(column, justify="left" if column == "queue" else "right", no_wrap=True)
    if width >= _WIDE:
        table.add_column("last minutes", ratio=1, no_wrap=True)
    for queue in view.queues.values():
        table.add_row(*_cells(queue, view, bars=max(0, width - 62) if width >= _WIDE else 0))
    return table


def _cells(queue: QueueView, view: SessionView, *, bars: int) -> Iterator[Text]:
    last = queue.last
    yield Text(one_line(queue.name, limit=24))
    for count in (last.visible, last.in_flight, last.delayed) if last else (0, 0, 0):
        yield Text(f"{count:,}")
    yield Text(f"{queue.net_per_s():+.1f}" if last else "-")
    empty = queue.empty_in_s()
    yield Text(seconds(empty) if empty is not None else "-")
    if bars:
        yield Text(sparkline([sample.total for sample in queue.samples], bars))


def sparkline(values: Sequence[int], width: int) -> str:
    """Return the latest values as bars, one a column, the tallest filling the line."""
    latest = values[-width:]
    top = max([*latest, 1])
    return "".join(_BARS[-(-value * (len(_BARS) - 1) // top)] for value in latest)
