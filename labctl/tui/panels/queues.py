"""Panel `queues`: how full each queue is, how that changes, and when it will be empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from labctl.spec.lab import Lab
from labctl.telling import seconds
from labctl.text import one_line
from labctl.tui.host import lab_of
from labctl.tui.panels.base import Panel
from labctl.tui.view import QueueView, Sample, SessionView

_BARS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_WIDE = 60  # columns from which the sparkline has room
_WIDEST = 90  # and from which every column has


class QueuesPanel(Panel):
    """A row a queue: its depth, what comes and goes, when it will be empty, the last minutes."""

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
            table.update(_table(view, lab_of(self), self.size.width), layout=place != self._place)
            self._drawn, self._place = shown, place


def _table(view: SessionView, lab: Lab | None, width: int) -> Table | Text:
    if not view.queues:
        return Text("No queue was looked at yet.")
    shown = [_row(queue, view, lab) for queue in view.queues.values()]
    columns = [name for name in shown[0] if _has_room(name, shown, width)]
    table = Table(box=None, expand=True, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="left" if name == "queue" else "right", no_wrap=True)
    taken = sum(max(len(name), *(len(row[name]) for row in shown)) + 2 for name in columns)
    bars = max(0, width - taken) if width >= _WIDE else 0
    if bars:
        table.add_column("last minutes", ratio=1, no_wrap=True)
    for queue, row in zip(view.queues.values(), shown, strict=True):
        line = sparkline([sample.total for sample in queue.samples], bars)
        table.add_row(*(Text(row[name]) for name in columns), *([Text(line)] if bars else []))
    return table


def _has_room(column: str, rows: Sequence[Mapping[str, str]], width: int) -> bool:
    """Whether a column is shown: where it is narrow, none that says nothing."""
    if width < _WIDE:
        return column in ("queue", "visible", "empty in")
    if column in ("delayed", "dead"):
        return width >= _WIDEST or any(row[column] not in ("0", "-") for row in rows)
    return True


def _row(queue: QueueView, view: SessionView, lab: Lab | None) -> Mapping[str, str]:
    last = queue.last or Sample(0.0, 0, 0, 0)
    came, went = _flow(queue, view, lab)
    empty = queue.empty_in_s()
    return {
        "queue": one_line(queue.name, limit=24),
        "visible": f"{last.visible:,}",
        "in flight": f"{last.in_flight:,}",
        "delayed": f"{last.delayed:,}",
        "dead": _dead(queue, view, lab),
        "in/s": _rate(came),
        "out/s": _rate(went),
        "empty in": seconds(empty) if empty is not None else "-",
    }


def _flow(queue: QueueView, view: SessionView, lab: Lab | None) -> tuple[float, float]:
    """Return messages a second in and out: of the workload's queues its jobs tell them better."""
    came, went = queue.flow_per_s()
    workload = lab.workload if lab else None
    ends = [getattr(workload, end, None) for end in ("send", "collect")]
    if queue.last is not None and queue.name in ends:
        went = max(went, view.jobs.per_s(queue.last.at))
        came = max(came, went + queue.net_per_s())
    return came, went


def _dead(queue: QueueView, view: SessionView, lab: Lab | None) -> str:
    """Return how many messages lie in the queue's dead-letter queue."""
    letters = getattr(lab.resources.get(queue.name), "dead_letter", None) if lab else None
    dead = view.queues.get(letters.to) if letters is not None else None
    return f"{dead.last.total:,}" if dead and dead.last else "-"


def _rate(per_s: float) -> str:
    return f"{per_s:,.1f}" if per_s < 100 else f"{per_s:,.0f}"


def sparkline(values: Sequence[int], width: int) -> str:
    """Return the latest values as bars, one a column, the tallest filling the line."""
    latest = values[-width:]
    top = max([*latest, 1])
    return "".join(_BARS[-(-value * (len(_BARS) - 1) // top)] for value in latest)
