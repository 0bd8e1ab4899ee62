"""Everything about one job: input, output, what happened when, and a picture before and after."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from labctl.actions.base import Chosen, Fact
from labctl.actions.picture_text import lines_of
from labctl.engine.actions import run_action
from labctl.errors import LabctlError, UsageError
from labctl.ledger.job_pages import JobDetails
from labctl.ledger.results import ResultsStore
from labctl.session import Session
from labctl.telling import seconds
from labctl.text import harmless, one_line
from labctl.tui.background import in_background
from labctl.tui.host import lab_of, replayed_of, session_of
from labctl.tui.key_line import KeyLine

_COMPARE = "pictures.compare"
_BUSY_S = 5.0
_EDGES = 6  # columns that border, padding and scrollbar take
_WIDEST, _NARROWEST = 400, 10


class JobScreen(Screen[None]):
    """Escape closes it; `key` is a job's id or a dead message's.

    It covers the lab's screen, which thus need not be drawn below it.
    """

    CSS_PATH = "job.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "close", "Close", tooltip="Back to the jobs"),
    ]

    def __init__(self, key: str, host: Widget, find_file: Callable[[], Path]) -> None:
        super().__init__()
        self._key, self._find_file = key, find_file
        self._lab, self._make_session = lab_of(host), session_of(host)
        self._replayed = replayed_of(host)

    def compose(self) -> ComposeResult:
        """Lay out the parts; each is filled when it is known."""
        with VerticalScroll(id="job"):
            yield Static("reading the job...", id="job-story", markup=False)
            yield Static("", id="job-picture", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin to read."""
        self.query_one("#job").border_title = "Job"
        self.query_one("#job").focus()
        in_background(self, self._read, self._tell, name="job")

    def action_close(self) -> None:
        """Go back to the jobs."""
        self.dismiss()

    def _read(self) -> JobDetails:
        if self._replayed is not None:
            return self._found(self._replayed.details(self._key))
        file = self._find_file()
        if not file.exists():
            raise UsageError("the results are gone", "was the lab taken down?")
        with ResultsStore(file, busy_s=_BUSY_S) as store:
            return self._found(store.details(self._key))

    def _found(self, found: JobDetails | None) -> JobDetails:
        if found is None:
            raise UsageError(f"no job {self._key} any more")
        return found

    def _tell(self, job: JobDetails | LabctlError) -> None:
        story = self.query_one("#job-story", Static)
        if isinstance(job, LabctlError):
            story.update(_trouble(job))
            return
        story.update(job_text(job))
        action, make = self._comparing(), self._make_session
        if not action or make is None:
            return
        self.query_one("#job-picture", Static).update("fetching the picture...")
        width = max(_NARROWEST, min(_WIDEST, self.size.width - _EDGES))
        chosen = Chosen((job.body,), {"width": width})
        in_background(self, lambda: _compared(make(), action, chosen), self._show, name="picture")

    def _comparing(self) -> str:
        """Return the name of the lab's action that compares pictures; empty: it has none."""
        actions = self._lab.actions if self._lab else {}
        return next((name for name, each in actions.items() if each.kind == _COMPARE), "")

    def _show(self, found: Fact | LabctlError) -> None:
        if isinstance(found, LabctlError):
            text = _trouble(found)
        else:
            text = _heading("before and after")
            text.append(f"{one_line(found.say)}\n")
            if found.picture is not None:
                lines = lines_of(found.picture, coloured=not self.app.no_color)
                text.append_text(Text("\n").join(lines))
        self.query_one("#job-picture", Static).update(text)


def _compared(session: Session, action: str, chosen: Chosen) -> Fact:
    try:
        with session.standing() as stage:
            (fact,) = run_action(stage, action, chosen)
            return fact
    finally:
        session.close()


def job_text(job: JobDetails) -> Text:
    """Return what is known of a job, its foreign texts harmless."""
    text = Text(f"{one_line(job.job_id) or 'no job of this lab'}: {job.state}\n", style="bold")
    text.append_text(_heading("what happened"))
    for line in _timeline(job):
        text.append(f"{line}\n")
    text.append_text(_heading("input"))
    text.append(f"{harmless(job.body, limit=2000)}\n")
    text.append_text(_heading("why it is dead" if job.state == "dead" else "output"))
    text.append(f"{harmless(job.answer, limit=20_000) or '(none yet)'}\n")
    return text


def _timeline(job: JobDetails) -> list[str]:
    lines = []
    if job.sent_at is not None:
        lines.append(f"{_clock(job.sent_at)}  sent")
    if job.worked_ms is not None:
        worker = one_line(job.worker, limit=80)
        tries = f"attempt {job.attempt}" if job.attempt else "attempt unknown"
        lines.append(f"              {worker} worked on it for {job.worked_ms} ms, {tries}")
    if job.settled_at is not None:
        what = "found in the dead-letter queue" if job.state == "dead" else "recorded"
        after = f", {seconds(job.latency_ms / 1000)} after it was sent" if job.latency_ms else ""
        lines.append(f"{_clock(job.settled_at)}  {what}{after}")
    if job.repeated or job.duplicated:
        lines.append(f"the same answer again: {job.repeated}; another answer: {job.duplicated}")
    if job.state == "waiting":
        lines.append("              no answer yet")
    if job.state == "lost":
        lines.append("              its run ended without an answer")
    return lines


def _clock(at: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(at))}.{int(at * 1000) % 1000:03}"


def _heading(title: str) -> Text:
    return Text(f"\n{title}\n", style="bold underline")


def _trouble(error: LabctlError) -> Text:
    return Text(one_line(f"{error.message}{f'; {error.hint}' if error.hint else ''}", limit=400))
