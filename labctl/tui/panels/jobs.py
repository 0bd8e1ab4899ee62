"""Panel `jobs`: a window over the results store, however many jobs it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Input

from labctl.errors import UsageError
from labctl.ledger.job_pages import JobFilter, ListedJob, Place
from labctl.telling import seconds
from labctl.text import one_line
from labctl.tui.background import tell
from labctl.tui.host import replayed_of, session_of
from labctl.tui.job_window import PAGE, JobWindow, Wanted, Window
from labctl.tui.keyed_table import Cells, KeyedTable
from labctl.tui.panels.base import Panel
from labctl.tui.steady_text import SteadyText
from labctl.tui.view import SessionView

if TYPE_CHECKING:
    from labctl.session import Session

_FILTERS: tuple[JobFilter, ...] = ("all", "done", "failed", "dead", "waiting")
_COLUMNS = (("job", 15), ("state", 7), ("worker", 9), ("tries", 5), ("latency", 8), ("result", 120))
_NOTABLE = ("failed", "dead", "lost")


class JobsPanel(Panel):
    """A row a job, the newest answer first; Enter shows everything about it."""

    panel = "jobs"
    heading = "Jobs"
    takes_keys = "DataTable"
    DEFAULT_CSS = """
    JobsPanel DataTable { height: 1fr; scrollbar-size-horizontal: 0; }
    JobsPanel #jobs-said { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "filter", "Filter", tooltip="Show all, done, failed, dead or waiting jobs"),
        Binding("slash", "search", "Search", tooltip="Show only jobs that hold a text"),
        Binding("n", "older", "Older", tooltip=f"The next {PAGE} jobs"),
        Binding("p", "newer", "Newer", tooltip=f"The {PAGE} jobs before"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._wanted = Wanted()
        self._pages: list[Place | None] = [None]  # where each page up to this one begins
        self._window: Window | None = None
        self._rows: Mapping[str, Cells] = {}
        self._held = False  # the rows are older than the window, for someone reads them
        self._names: dict[str, str] = {}  # of machines, by the ids that workers go by
        self._make_session: Callable[[], Session] | None = None
        self._reader = JobWindow(self._find_file, self._prepare)
        self._results: Path | None = None
        self._replayed: object = None  # what was shown last of a replay

    def compose(self) -> ComposeResult:
        """Lay out what there is to say, the table, and the search field, hidden at first."""
        yield SteadyText("reading the jobs...", id="jobs-said")
        yield KeyedTable(_COLUMNS, id="jobs-table")
        field = Input(placeholder="text, then Enter; empty shows all", id="jobs-search")
        field.display = False
        yield field

    def on_mount(self) -> None:
        """Begin to read."""
        super().on_mount()
        self._make_session = session_of(self)
        if replayed_of(self) is None:
            self._reader.start()

    def on_unmount(self) -> None:
        """Read no more."""
        self._reader.stop()

    def show(self, view: SessionView, now: float) -> None:
        """Say that the panel is seen: the jobs themselves come when they have been read."""
        self._names = {machine.id: machine.name for machine in view.machines.values()}
        self._reader.drawn()
        self._show_replayed()

    # What is shown

    def action_filter(self) -> None:
        """Show the jobs of the next state."""
        place = _FILTERS.index(self._wanted.shown)
        self._ask(_FILTERS[(place + 1) % len(_FILTERS)], self._wanted.text)

    def action_search(self) -> None:
        """Ask for a text."""
        field = self.query_one("#jobs-search", Input)
        field.display = True
        field.focus()

    @on(Input.Submitted, "#jobs-search")
    def _search(self, event: Input.Submitted) -> None:
        event.stop()
        event.input.display = False
        self._table.focus()
        self._ask(self._wanted.shown, event.value)

    def action_older(self) -> None:
        """Show the next page."""
        window = self._window
        if window is None or window.wanted != self._wanted or window.page.next is None:
            return
        self._pages.append(window.page.next)
        self._turn()

    def action_newer(self) -> None:
        """Show the page before."""
        if len(self._pages) > 1:
            self._pages.pop()
            self._turn()

    def _ask(self, shown: JobFilter, text: str) -> None:
        self._wanted, self._pages = Wanted(shown, text), [None]
        self._turn()

    def _turn(self) -> None:
        self._wanted = Wanted(self._wanted.shown, self._wanted.text, self._pages[-1])
        self._reader.ask(self._wanted)
        self._say()
        self._show_replayed()

    # Drawing

    def _show_replayed(self) -> None:
        """Show the jobs of a replay, where it is one and there is news."""
        replayed = replayed_of(self)
        if replayed is None:
            return
        news = (self._wanted, replayed.done, replayed.failed)
        if news != self._replayed:
            self._replayed = news
            window = replayed.window(self._wanted)
            self._take((window, {job.key: _cells(job, self._names) for job in window.page.jobs}))

    def _prepare(self, window: Window) -> None:
        """Make the cells of what was read, still in the reader's thread: keys need not wait."""
        rows = {job.key: _cells(job, self._names) for job in window.page.jobs}
        tell(self, self._take, (window, rows))

    def _take(self, read: tuple[Window, Mapping[str, Cells]]) -> None:
        window, rows = read
        if window.wanted != self._wanted:  # another page was asked for meanwhile
            return
        is_new_page = self._window is None or self._window.wanted != window.wanted
        self._window, self._rows = window, rows
        # A reader's job must not vanish under the cursor because others were answered.
        reading = not is_new_page and self._table.cursor_row > 0
        self._held = reading and self._table.chosen not in rows
        if not self._held:
            self._table.fill(rows)
        self._say()

    @on(DataTable.RowHighlighted, "#jobs-table")
    def _back_at_the_top(self, event: DataTable.RowHighlighted) -> None:
        if self._held and event.cursor_row == 0 and self._window is not None:
            self._take((self._window, self._rows))

    def _say(self) -> None:
        shown: list[str] = [] if self._wanted.shown == "all" else [self._wanted.shown]
        if self._wanted.text:
            shown.append(f"with '{one_line(self._wanted.text, limit=30)}'")
        if len(self._pages) > 1:
            shown.append(f"page {len(self._pages)}")
        self.border_subtitle = Text(", ".join(shown)) if shown else ""
        said = self.query_one("#jobs-said", SteadyText)
        if self._window is not None:
            held = "\nHeld while you read; ctrl+home shows the newest." if self._held else ""
            said.put(_summary(self._window) + held)

    # One job

    @on(DataTable.RowSelected, "#jobs-table")
    def _open(self, event: DataTable.RowSelected) -> None:
        from labctl.tui.screens.job import JobScreen

        event.stop()
        self.app.push_screen(JobScreen(str(event.row_key.value), self.screen, self._find_file))

    @property
    def _table(self) -> KeyedTable:
        return self.query_one("#jobs-table", KeyedTable)

    def _find_file(self) -> Path:
        """Return where the results lie; called in other threads."""
        if self._make_session is None:
            raise UsageError("there are no results here, only events", "the log shows the answers")
        if self._results is None:
            self._results = self._make_session().folder.results_file
        return self._results


def _cells(job: ListedJob, names: Mapping[str, str]) -> Cells:
    latency = seconds(job.latency_ms / 1000) if job.latency_ms is not None else "-"
    notable = "bold" if job.state in _NOTABLE else ""
    return (
        Text(_short(job)),
        Text(job.state, notable),
        Text(one_line(names.get(job.worker, job.worker), limit=40) or "-"),
        Text(str(job.attempt or "-")),
        Text(latency),
        Text(one_line(job.text, limit=200), no_wrap=True),
    )


def _short(job: ListedJob) -> str:
    """Return the part of an id that tells a session's jobs apart: its run's mark, its number."""
    if not job.job_id:
        return "(foreign)"
    return one_line("-".join(job.job_id.split("-")[-2:]), limit=40)


def _summary(window: Window) -> str:
    if window.error is not None:
        hint = f"; {window.error.hint}" if window.error.hint else ""
        return one_line(f"{window.error.message}{hint}", limit=300)
    counts = window.counts
    if not counts.submitted and not counts.dead:
        return "No job was sent yet: r runs the lab's jobs."
    parts = [f"{counts.submitted:,} sent"] + [
        f"{count:,} {word}"
        for word, count in (
            ("done", counts.done),
            ("failed", counts.failed),
            ("dead", counts.dead),
            ("waiting", counts.waiting),
            ("lost", counts.lost),
            ("answered twice", counts.duplicated),
        )
        if count
    ]
    summary = ", ".join(parts)
    if not window.page.jobs:
        return f"{summary}. None of them to show here: f shows others."
    if window.page.next is not None:
        summary += f"; n shows older than these {len(window.page.jobs)}"
    return summary
