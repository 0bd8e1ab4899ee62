"""The printer for people: progress on standard error, results on standard output.

On a terminal one line at the foot shows what runs now; piped, every line is plain text. Nothing
is said by colour alone, and NO_COLOR is respected (rich does it).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.text import Text

from labctl import bench_events as b
from labctl import events as e
from labctl.headless.tables import table_lines
from labctl.telling import figure_lines, line_of, proof_lines, roughly
from labctl.text import harmless, masked, one_line

FEW_JOBS = 50  # of so many, each is shown; of more, a line each would bury the rest
SAY_AGAIN_AFTER_S = 2.0
_ALSO_WHEN_QUIET = (
    e.Warned,
    e.CheckFailed,
    e.CredentialsExpiring,
    e.CredentialsExpired,
    e.CredentialsRenewed,
)


class Plain:
    """A sink that tells a person what happens; `quiet` leaves only results and warnings."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._progress = Console(file=sys.stderr, highlight=False, soft_wrap=True, markup=False)
        self._status: Status | None = None
        self._jobs_done = self._jobs_sent = self._jobs_total = 0
        self._said_at = 0.0
        self._last_line = ""

    def __call__(self, at: float, event: e.Event) -> None:
        match event:
            case e.PlanMade() if not self._quiet:
                self.plan(event)
            case e.JobsSent():
                self._jobs_sent, self._jobs_total = event.count, event.total
                self._show_jobs()
            case e.JobFinished():
                self._jobs_done += 1
                if self._jobs_total <= FEW_JOBS:
                    self._line(event)
                self._show_jobs()
            case e.EndMoved() | e.FaultBegan() | e.FaultEnded():
                self.say(line_of(event) or "")
            case e.TeardownProved():
                self.say(*proof_lines(event))
            case e.RunFinished():
                self.say(*figure_lines(event))
            case e.PhaseEnded():
                self.close()
                self._line(event)
            case b.BenchmarkRoundStarted():
                turn = f"round {event.round} of {event.rounds}"
                self._foot(f"{event.benchmark}: {turn}, {event.subject}")
            case e.StepStarted():
                self._foot(f"{event.action} {event.resource}")
            case e.StepProgressed() if self._progress.is_terminal:
                self._foot(f"{event.step}: {event.message}")
            case _:
                self._line(event)

    def say(self, *lines: str) -> None:
        """Write lines of a result to standard output."""
        self.close()  # while it is there, rich sends standard output to the terminal too
        for line in lines:
            sys.stdout.write(harmless(line) + "\n")
        sys.stdout.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
        """Write a table to standard output."""
        self.say(*table_lines(columns, rows))

    def close(self) -> None:
        """Take the line at the foot away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    @contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        """Show at the foot of a terminal what goes on, until a result is said or this ends."""
        self.going_on(doing)
        try:
            yield
        finally:
            self.close()

    def going_on(self, doing: str) -> None:
        """Show at the foot of a terminal what goes on now."""
        self._foot(doing)

    def plan(self, made: e.PlanMade) -> None:
        """Write a plan, a row a step, what the lab costs, and how long the plan may take."""
        keys = ("action", "resource", "kind", "reason")
        rows = [[step[key] for key in keys] for step in made.steps]
        self.table(["action", "resource", "kind", "why"], rows)
        changing = sum(step["action"] not in ("keep", "push") for step in made.steps)
        self.say(f"{changing} to change; about {made.price_per_hour_usd:.4f} USD an hour on AWS")
        if made.expected_s is not None:
            self.say(f"takes about {roughly(made.expected_s)}")

    def _line(self, event: e.Event) -> None:
        line = line_of(event)
        if line is None or (self._quiet and not isinstance(event, _ALSO_WHEN_QUIET)):
            return
        if isinstance(event, e.PhaseStarted) and self._progress.is_terminal:
            self._foot(event.phase)
        elif line != self._last_line:
            self._last_line = line
            self._progress.print(Text(masked(line)))

    def _show_jobs(self) -> None:
        now = time.monotonic()
        line = f"jobs: {self._jobs_sent} sent, {self._jobs_done} answered"
        if self._progress.is_terminal:
            self._foot(line)
        elif not self._quiet and now - self._said_at > SAY_AGAIN_AFTER_S:
            self._said_at = now
            self._progress.print(Text(f"  {line}"))

    def _foot(self, line: str) -> None:
        if self._quiet or not self._progress.is_terminal:
            return
        text = Text(one_line(line, limit=70))
        if self._status is None:
            self._status = self._progress.status(text)
            self._status.start()
        else:
            self._status.update(text)
