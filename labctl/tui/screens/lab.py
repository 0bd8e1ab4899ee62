"""The screen of one lab: its panels, live, and the keys that go from one to another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Input

from labctl.engine.bus import Sink
from labctl.engine.choices import Choices
from labctl.engine.lifetime import is_over
from labctl.engine.vocabulary import PANELS
from labctl.events import CredentialsExpired, Event
from labctl.ledger.sessions import SessionRecord, session_folder
from labctl.paths import state_folder
from labctl.spec.lab import Lab
from labctl.tui.feed import Feed
from labctl.tui.key_line import KeyLine
from labctl.tui.key_words import SHORT_BELOW, left_words
from labctl.tui.keys import TargetKeys
from labctl.tui.operation import Operation
from labctl.tui.panels.base import Panel
from labctl.tui.panels.registry import panels
from labctl.tui.screens.help import CREDENTIALS_TIP, Help, key_lines
from labctl.tui.screens.jump import Jump
from labctl.tui.screens.lab_head import head_line, head_parts, trouble_line
from labctl.tui.steady_text import SteadyText
from labctl.tui.told import Told
from labctl.tui.view import SessionView
from labctl.tui.watch import Watch

if TYPE_CHECKING:
    from labctl.session import Session
    from labctl.tui.app import LabctlApp
    from labctl.tui.screens.lab_actions import LabActions, Offer

_DRAWS_PER_S = 15
_KEYS_WAIT_S = 24 * 3600.0  # whoever looks at a screen says when waiting is enough


class LabScreen(Screen[None]):
    """A grid of panels where there is room, one panel at a time where there is not."""

    app: LabctlApp
    CSS_PATH = "lab.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        # Where it is narrow only the first fit, so the ways out come early.
        Binding("a", "actions", "Actions", tooltip="Everything that can be done, to choose from"),
        Binding("question_mark", "help", "Help", tooltip="Every key and what it does"),
        Binding("q", "app.leave", "Quit", tooltip="Quit; labs that are up stay up"),
        Binding("escape", "leave", "Labs", tooltip="Back to the catalogue; what runs goes on"),
        Binding("k", "app.credentials", "Credentials", tooltip=CREDENTIALS_TIP),
        Binding("s", "stop", "Stop", tooltip="Stop what runs now, gently"),
        Binding("u", "do('up')", "Up", tooltip="Bring the lab up, or up to date"),
        Binding("r", "do('run')", "Run", tooltip="Bring it up, send its jobs, check"),
        Binding("d", "do('down')", "Down", tooltip="Delete everything, and prove it"),
        Binding("m", "maximise", "Max", tooltip="Show one panel alone, or all again"),
        Binding("c", "do('check')", "Check", show=False, tooltip="Run the lab's checks"),
        Binding("g", "jump", "Go", show=False, tooltip="Then a panel's letter or number: go there"),
        Binding("tab", "next_panel", "Next panel", show=False),
        Binding("shift+tab", "previous_panel", "Previous panel", show=False),
        *[Binding(str(n), f"panel({n - 1})", f"Panel {n}", show=False) for n in range(1, 10)],
    ]

    def __init__(self, lab: Lab, choices: Choices, followed: SessionRecord | None = None) -> None:
        super().__init__()
        self._followed = followed
        self.lab, self.choices = lab, replace(choices, creds_timeout_s=_KEYS_WAIT_S)
        self.view = SessionView()
        self._drawn_version, self._drawn_at = -1, 0.0
        known = panels()
        usual = [name for name in PANELS if lab.benchmarks or name != "benchmark"]
        names = [name for name in lab.panels or usual if name in known]
        self.panels: Sequence[Panel] = [known[name]() for name in names]
        self.panels[-1].set_class(len(names) % 2 == 1, "-alone")  # in the last row of the grid
        self._current = 0
        self.name_of_session = ""
        self.record: SessionRecord | None = None  # None while the lab is not up
        self._watch: Watch | None = None
        self.keys: TargetKeys | None = None
        self.told_here = Told()
        self._waited: CredentialsExpired | None = None

    def session(
        self, *, cancelled: threading.Event | None = None, sinks: Sequence[Sink] = ()
    ) -> Session:
        """Return the facade of this lab's session; for threads other than the screen's."""
        from labctl.session import Session

        return Session(str(self.lab.path), self.choices, sinks=sinks, cancelled=cancelled)

    @cached_property
    def actions(self) -> LabActions:
        """What can be done to the lab; not needed to show it."""
        from labctl.tui.screens.lab_actions import LabActions

        return LabActions(self)

    @property
    def operations(self) -> list[Operation]:
        """What this labctl does to the session now."""
        return self.app.operations.running(self.name_of_session)

    def compose(self) -> ComposeResult:
        """Lay out the head, the panels and the keys."""
        yield SteadyText(id="head", one_line=True)
        yield SteadyText(id="trouble")
        yield SteadyText(id="tabs", one_line=True)
        with Container(id="panels"):
            yield from self.panels
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin to follow the session, and to draw."""
        self.query_one("#trouble").display = False
        self.follow()
        self.action_panel(0)
        self.call_later(self._draw)
        self.set_interval(1 / _DRAWS_PER_S, self._draw)

    def on_unmount(self) -> None:
        """Stop following; what runs goes on."""
        self.unfollow()

    # What a replay does in its own way

    def follow(self) -> None:
        """Begin to follow the session, whoever works on it."""
        record = self._followed
        assert record is not None, "only a replay follows no session"
        self.name_of_session = record.name
        folder = session_folder(state_folder(), record.name)
        self.record = record if folder.record_file.exists() else None
        self._feed = Feed(folder.events_file)
        self._feed.start()
        # What looks at the target imports the most: not before the panels are seen.
        self.call_after_refresh(self._look, record)

    def _look(self, record: SessionRecord) -> None:
        self._watch = Watch(self.session)
        self._watch.start()
        self.keys = self.app.keys.of(self.choices, target=record.target, profile=record.profile)

    def unfollow(self) -> None:
        """Stop following."""
        self._feed.stop()
        if self._watch is not None:
            self._watch.stop()

    def news(self) -> Iterable[tuple[float, Event]]:
        """Return the events of the session since the last time, with their unix times."""
        return self._feed.take()

    def news_here(self) -> Iterator[tuple[float, Event]]:
        """Yield what only this screen was told since the last time."""
        if self._watch is not None:
            yield from self._watch.take()
        yield from self.told_here.take()
        if self.keys is not None:
            yield from self.keys.take(self.name_of_session)

    def waits(self) -> CredentialsExpired | None:
        """Return for what calls on the session wait, once it is known whether anyone is there."""
        return self.view.keys.waits if self.app.standings.looks else None

    def is_left(self) -> bool:
        """Whether nobody works on the session any more, as far as its events are known here."""
        return self.app.standings.left.get(self.name_of_session) == self._feed.taken_to

    def now(self) -> float:
        """Return the unix time that the panels take for now."""
        return time.time()

    def head(self, now: float) -> str:
        """Return the line above the panels: the lab, its session, time and money left."""
        if self.app.standings.looks:
            standing = self.app.standings.latest.get(self.name_of_session)
            self.record = standing.record if standing else None
        parts = head_parts(
            self.name_of_session,
            self.view,
            self.record,
            doing=" and ".join(operation.name for operation in self.operations),
            budget_usd=self.lab.limits.budget_usd,
            keys=self._keys_left(now),
            now=now,
        )
        return head_line(parts, max(10, self.size.width - 2))

    def _look_at_keys(self) -> None:
        """Have the keys looked at as soon as calls wait for others, or wait no more."""
        waits = self.view.keys.waits
        if waits != self._waited and self.keys is not None:
            self.keys.look_now()
        self._waited = waits

    def _keys_left(self, now: float) -> str:
        report = self.keys.standing.report if self.keys else None
        return left_words(report, now, short=self.size.width < SHORT_BELOW)

    def on_resize(self) -> None:
        """Fit the head to the new width."""
        self._draw_tabs()
        self._drawn_version = -1

    # Drawing

    def _draw(self) -> None:
        for at, event in self.news():
            self.view.fold(at, event)
        for at, event in self.news_here():
            self.view.fold(at, event, here=True)
        if self.is_left():
            self.view.leave()
        self._look_at_keys()
        now = self.now()
        if self.view.version == self._drawn_version and now - self._drawn_at < 1:
            return
        self._drawn_version, self._drawn_at = self.view.version, now
        self.query_one("#head", SteadyText).put(self.head(now))
        over = self.record is not None and is_over(self.record, now=now)
        watched = self._watch.trouble if self._watch else ""
        trouble = trouble_line(watched, self.view, is_over=over)
        told = self.query_one("#trouble", SteadyText)
        told.put(trouble)
        told.display = bool(trouble)
        for panel in self.panels:
            if panel.display:
                panel.show(self.view, now)

    def redraw(self) -> None:
        """Draw soon, though no event came."""
        self._drawn_version = -1
        self.refresh_bindings()

    # Panels

    @property
    def panel(self) -> Panel:
        """The current panel."""
        return self.panels[self._current]

    def action_panel(self, index: int) -> None:
        """Go to a panel by its place."""
        if index >= len(self.panels):
            return
        self._mark(index)
        self.panels[index].focus()

    def show_panel(self, name: str) -> None:
        """Go to the panel of this name, where the lab has it."""
        for index, panel in enumerate(self.panels):
            if panel.panel == name:
                self.action_panel(index)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Make the panel current in which the keyboard or the mouse went."""
        for widget in event.widget.ancestors_with_self:
            if isinstance(widget, Panel) and widget in self.panels:
                self._mark(self.panels.index(widget))

    def _mark(self, index: int) -> None:
        self._current = index
        for number, panel in enumerate(self.panels):
            panel.set_class(number == index, "-current")
        self._draw_tabs()
        self._drawn_version = -1

    def _draw_tabs(self) -> None:
        line = " ".join(self._tab(number, named=True) for number in range(len(self.panels)))
        if len(line) > self.size.width - 2:  # then the current one alone has room for its name
            places = range(len(self.panels))
            line = " ".join(self._tab(place, named=place == self._current) for place in places)
        self.query_one("#tabs", SteadyText).put(line)

    def _tab(self, number: int, *, named: bool) -> str:
        text = f"{number + 1} {self.panels[number].heading}" if named else str(number + 1)
        return f"[{text}]" if number == self._current else f" {text} "

    def action_next_panel(self) -> None:
        """Go to the next panel."""
        self.action_panel((self._current + 1) % len(self.panels))

    def action_previous_panel(self) -> None:
        """Go to the panel before."""
        self.action_panel((self._current - 1) % len(self.panels))

    def action_jump(self) -> None:
        """Ask for a panel's key and go there."""

        def chosen(index: int | None) -> None:
            if index is not None:
                self.action_panel(index)

        self.app.push_screen(Jump([panel.heading for panel in self.panels]), chosen)

    def action_maximise(self) -> None:
        """Show the current panel alone, or all of them again."""
        if self.maximized is None:
            self.maximize(self.panel)
        else:
            self.minimize()

    # Doing

    @property
    def offers(self) -> Sequence[Offer]:
        """What can be done to the lab, by name."""
        return self.actions.offers

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now: stop what runs, or begin something."""
        alone = any(
            operation.name in ("up", "run", "bench", "down") for operation in self.operations
        )
        if action == "stop":
            return bool(self.operations)
        if action == "do" and parameters != ("check",):
            return not alone
        return True

    def action_do(self, name: str) -> None:
        """Do one of the things that have a key."""
        self.actions.do(name)

    def action_actions(self) -> None:
        """Offer everything that can be done."""
        self.actions.offer()

    def open_shell(self, machine: str) -> None:
        """Open a shell on a machine."""
        self.actions.shell(machine)

    def action_stop(self) -> None:
        """Ask what runs to stop."""
        self.actions.stop()

    def action_help(self) -> None:
        """List the keys."""
        own = {panel.heading: key_lines(panel.BINDINGS) for panel in self.panels}
        groups = {
            "Everywhere": key_lines(self.app.BINDINGS),
            "This screen": [*key_lines(self.BINDINGS), "1 to 9    Go to a panel by its number"],
            **{f"Panel {heading}": keys for heading, keys in own.items() if keys},
        }
        self.app.push_screen(Help(groups))

    def action_leave(self) -> None:
        """Leave a field, then the one large panel, then the screen; what runs goes on."""
        if isinstance(self.focused, Input):
            self.panel.focus()
        elif self.maximized is not None:
            self.minimize()
        else:
            self.app.show_catalogue()
