"""The screen of one lab: its panels, live, and everything that can be done to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Footer, Static

from labctl.engine.opening import Choices
from labctl.events import Event
from labctl.ledger.sessions import SessionRecord
from labctl.session import Session
from labctl.spec.lab import Lab
from labctl.telling import seconds
from labctl.text import one_line
from labctl.tui.feed import Feed
from labctl.tui.operation import Operation
from labctl.tui.panels.base import Panel
from labctl.tui.panels.registry import panels
from labctl.tui.screens.confirm import Confirm
from labctl.tui.screens.proof import Proof
from labctl.tui.view import SessionView
from labctl.tui.watch import Watch

if TYPE_CHECKING:
    from labctl.tui.app import LabctlApp

_DRAWS_PER_S = 15
_HOUR_S = 3600.0


class LabScreen(Screen[None]):
    """A grid of panels where there is room, one panel at a time where there is not."""

    app: LabctlApp
    CSS_PATH = "lab.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "up", "Up", tooltip="Bring the lab up, or up to date"),
        Binding("r", "run", "Run", tooltip="Bring it up, send its jobs, check"),
        Binding("a", "actions", "Actions", tooltip="Send jobs, scale, purge, and the lab's own"),
        Binding("c", "check", "Check", tooltip="Run the lab's checks"),
        Binding("d", "down", "Down", tooltip="Delete everything, and prove it"),
        Binding("s", "stop", "Stop", tooltip="Stop what runs now, gently"),
        Binding("m", "maximise", "Maximise", tooltip="Show one panel alone, or all again"),
        Binding("tab", "next_panel", "Next panel", show=False),
        Binding("shift+tab", "previous_panel", "Previous panel", show=False),
        Binding("escape", "leave", "Labs", tooltip="Back to the catalogue"),
        *[Binding(str(n), f"panel({n - 1})", f"Panel {n}", show=False) for n in range(1, 10)],
    ]

    def __init__(self, lab: Lab, choices: Choices) -> None:
        super().__init__()
        self.lab, self.choices = lab, choices
        self.view = SessionView()
        self.operation: Operation | None = None
        self.record: SessionRecord | None = None
        self._drawn_version, self._drawn_at = -1, 0.0
        known = panels()
        names = [name for name in lab.panels or known if name in known]
        self._panels: Sequence[Panel] = [known[name]() for name in names]
        self._current = 0

    def session(self) -> Session:
        """Return the facade of this lab's session; for threads other than the screen's."""
        return Session(str(self.lab.path), self.choices)

    def compose(self) -> ComposeResult:
        """Lay out the head, the panels and the keys."""
        yield Static("", id="head", markup=False)
        yield Static("", id="tabs", markup=False)
        with Container(id="panels"):
            yield from self._panels
        yield Footer()

    def on_mount(self) -> None:
        """Begin to follow the session, and to draw."""
        self.follow()
        self.action_panel(0)
        self.set_interval(1 / _DRAWS_PER_S, self._draw)

    def on_unmount(self) -> None:
        """Stop following; what runs goes on."""
        self.unfollow()

    # What a replay does in its own way

    def follow(self) -> None:
        """Begin to follow the session, whoever works on it."""
        facade = self.session()
        self.record = facade.record if facade.is_known else None
        self._feed = Feed(facade.folder.events_file)
        self._feed.start()
        self._watch = Watch(self.session)
        self._watch.start()

    def unfollow(self) -> None:
        """Stop following."""
        self._feed.stop()
        self._watch.stop()

    def news(self) -> Iterable[tuple[float, Event]]:
        """Return the events since the last time, with their unix times; never waits."""
        return (*self._feed.take(), *self._watch.take())

    def now(self) -> float:
        """Return the unix time that the panels take for now."""
        return time.time()

    # Drawing

    def _draw(self) -> None:
        for at, event in self.news():
            self.view.fold(at, event)
        now = self.now()
        if self.view.version == self._drawn_version and now - self._drawn_at < 1:
            return
        self._drawn_version, self._drawn_at = self.view.version, now
        self._end_operation()
        self.query_one("#head", Static).update(self.head(now))
        for panel in self._panels:
            if panel.display:
                panel.show(self.view, now)

    def head(self, now: float) -> str:
        """Return the line above the panels: the lab, its session, time and money left, trouble."""
        parts = [f"{self.lab.name}: {self.view.state}"]
        if self.view.phase or self.operation:
            doing = self.operation.name if self.operation else ""
            parts.append(" ".join(part for part in (doing, self.view.phase) if part) + "...")
        record = self.record
        if record is not None:
            parts.append(f"{record.target} {record.region} {record.account}".strip())
            parts.append(f"{seconds(max(0.0, record.expires_at - now))} left")
            spent = self.view.price_per_hour_usd * (now - record.created_at) / _HOUR_S
            budget = self.lab.limits.budget_usd
            of = f" of {budget:.2f}" if budget is not None else ""
            spent = spent if record.target == "aws" else 0.0
            parts.append(f"{spent:.2f}{of} USD")
        trouble = self._watch.trouble or self.view.problem
        if trouble:
            parts.append(f"! {one_line(trouble, limit=120)}")
        return one_line("  |  ".join(parts), limit=400)

    # Panels

    def action_panel(self, index: int) -> None:
        """Go to a panel by its place."""
        if index >= len(self._panels):
            return
        self._current = index
        for number, panel in enumerate(self._panels):
            panel.set_class(number == index, "-current")
        self._panels[index].focus()
        names = [
            f"[{number + 1} {panel.heading}]"
            if number == index
            else f" {number + 1} {panel.heading} "
            for number, panel in enumerate(self._panels)
        ]
        self.query_one("#tabs", Static).update(one_line(" ".join(names)))
        self._drawn_version = -1

    def action_next_panel(self) -> None:
        """Go to the next panel."""
        self.action_panel((self._current + 1) % len(self._panels))

    def action_previous_panel(self) -> None:
        """Go to the panel before."""
        self.action_panel((self._current - 1) % len(self._panels))

    def action_maximise(self) -> None:
        """Show the current panel alone, or all of them again."""
        if self.maximized is None:
            self.maximize(self._panels[self._current])
        else:
            self.minimize()

    # Doing

    def begin(self, name: str, work: Callable[[Session], object]) -> None:
        """Do something in a thread, if nothing else of this screen runs."""
        if self.operation is not None:
            self.notify(f"{self.operation.name} still runs; s stops it", severity="warning")
            return

        def in_thread(cancelled: object) -> object:
            session = Session(str(self.lab.path), self.choices, cancelled=operation.cancelled)
            try:
                return work(session)
            finally:
                session.close()

        operation = Operation(name, in_thread)
        self.operation = operation
        operation.start()

    def _end_operation(self) -> None:
        operation = self.operation
        if operation is None or not operation.ended.is_set():
            return
        self.operation = None
        facade = self.session()
        self.record = facade.record if facade.is_known else None
        if operation.error is not None:
            hint = f"\n{operation.error.hint}" if operation.error.hint else ""
            self.notify(
                f"{operation.name}: {operation.error.message}{hint}",
                severity="warning" if operation.state == "stopped" else "error",
                timeout=15,
                markup=False,
            )
        elif operation.name == "down" and self.view.proof is not None:
            self.app.push_screen(Proof(self.view.proof))

    def action_up(self) -> None:
        """Bring the lab up."""
        self.begin("up", lambda session: session.up())

    def action_run(self) -> None:
        """Bring the lab up, send its jobs and check it."""
        self.begin("run", lambda session: session.run())

    def action_check(self) -> None:
        """Run the checks."""
        self.begin("check", lambda session: session.check())

    def action_stop(self) -> None:
        """Ask what runs to stop."""
        if self.operation is None:
            self.notify("nothing of this screen runs")
            return
        self.operation.cancelled.set()
        self.notify(f"stopping {self.operation.name}: what runs now is finished")

    def action_down(self) -> None:
        """Ask, naming what will go, and then take everything down."""
        names = [
            f"{each.kind} {each.physical_name}"
            for each in self.view.resources.values()
            if each.state not in ("planned", "deleted")
        ]
        question = f"Delete everything of {self.lab.name}?"

        def answered(yes: bool | None) -> None:
            if yes:
                self.begin("down", lambda session: session.down())

        self.app.push_screen(Confirm(question, names), answered)

    def action_actions(self) -> None:
        """Offer what can be done to a lab that stands."""
        self.notify("no actions yet")

    def action_leave(self) -> None:
        """Go back to the catalogue; what runs goes on."""
        self.app.pop_screen()
