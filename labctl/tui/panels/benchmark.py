"""Panel `benchmark`: what was measured, round by round, as a table and a plot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from labctl.text import one_line
from labctl.tui.bench_view import BenchView, SubjectView
from labctl.tui.panels.base import Panel
from labctl.tui.steady_text import SteadyText
from labctl.tui.view import SessionView

_NARROW = 70  # columns below which the quartiles have no room
_WIDEST_PLOT = 120


class BenchmarkPanel(Panel):
    """The benchmark that was measured last; `n` and `p` show the others."""

    panel = "benchmark"
    heading = "Benchmark"
    takes_keys = "#bench-scroll"
    DEFAULT_CSS = """
    BenchmarkPanel #bench-scroll { height: 1fr; }
    BenchmarkPanel #bench-said { height: auto; }
    BenchmarkPanel #bench-table { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "turn(1)", "Next", tooltip="The benchmark that was measured before this one"),
        Binding("p", "turn(-1)", "Previous", tooltip="The benchmark that was measured after it"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._drawn: object = None  # what is shown now
        self._back = 0  # how many benchmarks before the latest
        self._view: SessionView | None = None

    def compose(self) -> ComposeResult:
        """Lay out what there is to say, the table and the plot."""
        with VerticalScroll(id="bench-scroll"):
            yield SteadyText("", id="bench-said")
            yield Static("", id="bench-table")
            yield SteadyText("", id="bench-plot")

    def action_turn(self, by: int) -> None:
        """Show another benchmark."""
        count = len(self._view.benchmarks.benches) if self._view else 0
        self._back = min(max(0, self._back + by), max(0, count - 1))
        if self._view is not None:
            self.show(self._view, 0.0)

    def show(self, view: SessionView, now: float) -> None:
        """Draw when something was measured, or the width is another: plots are dear to draw."""
        self._view = view
        shown = (view.benchmarks.changes, self.size.width, self._back, id(view))
        if shown == self._drawn:
            return
        self._drawn = shown
        benches = list(view.benchmarks.benches.values())
        said = self.query_one("#bench-said", SteadyText)
        table = self.query_one("#bench-table", Static)
        drawing = self.query_one("#bench-plot", SteadyText)
        if not benches:
            said.put("Nothing was measured yet: a, then bench.")
            table.update("")
            drawing.put("")
            return
        bench = benches[-1 - min(self._back, len(benches) - 1)]
        said.put(_said(bench, len(benches)))
        table.update(_table(bench, self.size.width))
        drawing.put(Text(_drawing(bench, self.size.width), no_wrap=True))


def _said(bench: BenchView, count: int) -> Text:
    rounds = f"{bench.rounds} rounds" if bench.rounds != 1 else "1 round"
    state = one_line(bench.turn, limit=60) or bench.state
    lines = [
        f"{one_line(bench.name, limit=40)}: {state} ({rounds})",
        one_line(bench.say, limit=150),
    ]
    if bench.why:
        lines.append(f"cut short: {one_line(bench.why, limit=300)}")
    if count > 1:
        lines[0] += f"; n, p: {count} benchmarks"
    return Text("\n".join(lines))


def _table(bench: BenchView, width: int) -> Table:
    table = Table(box=None, expand=True, pad_edge=False)
    wide = width >= _NARROW
    columns = ["subject", "rounds", "median", *(["quartiles"] if wide else []), "p95 ms", "errors"]
    for column in columns:
        table.add_column(column, justify="left" if column == "subject" else "right", no_wrap=True)
    for subject in bench.subjects.values():
        table.add_row(*_cells(subject, wide=wide))
    return table


def _cells(subject: SubjectView, *, wide: bool) -> Iterator[Text]:
    from labctl.figures.statistics import spread
    from labctl.figures.tables import rate

    yield Text(one_line(subject.name, limit=24))
    yield Text(str(len(subject.rates)))
    found = spread(subject.rates) if subject.rates else None
    yield Text(rate(found.median) if found else "-")
    if wide:
        yield Text(f"{rate(found.low)} .. {rate(found.high)}" if found else "-")
    yield Text(f"{spread(subject.p95_ms).median:.2f}" if subject.p95_ms else "-")
    yield Text(f"{subject.errors:,}")


def _drawing(bench: BenchView, width: int) -> str:
    from labctl.figures.plots import plot

    verdicts = [
        f"{one_line(subject.name, limit=24)}: {one_line(subject.verdict)}"
        for subject in bench.subjects.values()
        if subject.verdict
    ]
    rates = {name: list(subject.rates) for name, subject in bench.subjects.items()}
    drawn = plot(rates, unit=bench.unit, columns=min(_WIDEST_PLOT, width - 6))
    tools = {subject.tool for subject in bench.subjects.values() if subject.tool}
    by = [f"by {one_line(', '.join(sorted(tools)), limit=100)}"] if tools else []
    return "\n".join(["", drawn, *verdicts, *by])
