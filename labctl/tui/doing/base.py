"""How anything is done to a lab from its screen: in a thread, in nobody's way, told at its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from labctl.actions.base import Fact
from labctl.plan.model import Plan
from labctl.session import Confirm as ConfirmPlan
from labctl.session import Session
from labctl.tui.gathered import Gathered
from labctl.tui.operation import Operation
from labctl.tui.operations import Then
from labctl.tui.screens.dialogs import Dialogs
from labctl.tui.screens.results import LiveResults

if TYPE_CHECKING:
    from labctl.tui.app import LabctlApp
    from labctl.tui.screens.lab import LabScreen

_KEEP_EVENTS = ("up", "run", "check", "down", "scale", "extend", "fault", "clear", "bench")
Work = Callable[[Session, threading.Event], object]
"""What a thread does with the facade; the event asks it to stop."""


class Doing(Dialogs):
    """What each part of a lab's actions builds on; operations outlive the screen."""

    def __init__(self, screen: LabScreen) -> None:
        self._screen = screen

    @property
    def _app(self) -> LabctlApp:
        return self._screen.app

    def begin(self, name: str, work: Work, then: Then | None = None) -> bool:
        """Do something in a thread; False where what runs forbids it."""
        screen, operations = self._screen, self._app.operations
        other = operations.in_the_way_of(name, screen.name_of_session)
        if other is not None:
            self._warn(f"{other.name} still runs; s stops it")
            return False
        # Those of the others are in the session's events, and shown from there.
        sinks = () if name in _KEEP_EVENTS else (screen.told_here,)

        def in_thread(cancelled: threading.Event) -> object:
            session = screen.session(cancelled=cancelled, sinks=sinks)
            try:
                return work(session, cancelled)
            finally:
                session.close()

        operations.begin(Operation(name, in_thread), session=screen.name_of_session, then=then)
        screen.redraw()
        return True

    def _begin_showing(self, name: str, work: Callable[[Session], Iterable[Fact]]) -> None:
        """Do something and show what it gives as it comes."""
        gathered, app = Gathered(name), self._app
        shown = LiveResults(gathered)

        def told(result: object) -> None:
            if shown not in app.screen_stack:
                self._say(gathered.title, ok=not gathered.failed)

        if self.begin(name, lambda session, stop: gathered.take(work(session)), told):
            app.push_screen(shown)

    def _asking(self, session: Session, cancelled: threading.Event) -> ConfirmPlan | None:
        """Return how a thread asks before money is spent: on AWS only."""
        if session.record.target != "aws":
            return None
        operations, lab = self._app.operations, session.record.lab

        def ask(plan: Plan, price_per_hour_usd: float) -> bool:
            steps = [
                f"{step.action} {step.kind} {step.name}"
                for step in plan.steps
                if step.action not in ("keep", "push")
            ]
            say = f"{lab}: do this on AWS for about {price_per_hour_usd:.4f} USD an hour?"
            return operations.ask(say, steps, cancelled)

        return ask

    def _resources(self, kind: str) -> list[str]:
        return [n for n, model in self._screen.lab.resources.items() if model.kind == kind]
