"""The catalogue: every lab by course with its state; the chosen one's instructions beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from labctl.events import CredentialsExpired
from labctl.text import one_line
from labctl.tui.instructions import Instructions, prepare
from labctl.tui.key_line import KeyLine
from labctl.tui.key_words import SHORT_BELOW, left_words
from labctl.tui.keys import TargetKeys
from labctl.tui.labs import Labs
from labctl.tui.operation import Operation
from labctl.tui.rows import Row
from labctl.tui.screens.help import CREDENTIALS_TIP, Help, key_lines
from labctl.tui.steady_text import SteadyText

if TYPE_CHECKING:
    from labctl.tui.about import About
    from labctl.tui.app import LabctlApp

_LOOKS_PER_S = 5
_ANSWER_WITHIN_S = 10.0


class LabList(OptionList):
    """The list; its key is shown in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open", tooltip="Open the lab's screen")
    ]


class CatalogueScreen(Screen[None]):
    """Enter opens a lab."""

    app: LabctlApp
    CSS_PATH = "catalogue.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", tooltip="Show only labs that hold what is typed"),
        Binding("p", "plan", "Plan", tooltip="Show the plan and the price, or the instructions"),
        Binding("k", "app.credentials", "Credentials", tooltip=CREDENTIALS_TIP),
        Binding("question_mark", "help", "Help", tooltip="Every key and what it does"),
        Binding("escape", "unfilter", "All labs", show=False, tooltip="Show all labs again"),
    ]

    def __init__(self, labs: Labs) -> None:
        super().__init__()
        self._labs = labs
        self.keys: TargetKeys | None = None
        self.rows: Sequence[Row] = []
        self._looks = -1
        self._listed: tuple[str, ...] = ()
        self._shown = ""  # the id of the row that is described
        self._reading: Operation | None = None
        self._asking: Operation | None = None
        self._asked_at = 0.0

    def compose(self) -> ComposeResult:
        """Lay out the labs and the instructions."""
        yield SteadyText(self._head(), id="head", one_line=True)
        with Container(id="body"):
            with Vertical(id="list"):
                yield Input(placeholder="/ filters", id="filter", compact=True)
                yield LabList(id="labs")
            with VerticalScroll(id="about"):
                yield Static("", id="needs", markup=False)
                yield Static("", id="plan", markup=False)
                yield Instructions(id="readme")
        yield KeyLine()

    def on_mount(self) -> None:
        """List the labs."""
        self.query_one("#plan").display = False
        self.query_one("#needs").display = False
        self._list()
        self.call_after_refresh(self._look_at_keys)
        self.query_one("#labs", OptionList).focus()
        self.set_interval(1 / _LOOKS_PER_S, self._look)

    def _look_at_keys(self) -> None:
        labs = self._labs
        self.keys = self.app.keys.of(self.app.choices, target=labs.target, profile=labs.profile)

    # The list

    def _look(self) -> None:
        if self._looks != self.app.standings.looks:
            self._looks = self.app.standings.looks
            self._list()
        self.query_one("#head", SteadyText).put(self._head())
        self._take_about()

    def _head(self) -> str:
        report = self.keys.standing.report if self.keys else None
        left = left_words(report, time.time(), short=self.size.width < SHORT_BELOW)
        return "  ".join(
            part for part in (one_line(f"labctl: labs, target {self._labs.target}"), left) if part
        )

    def waits(self) -> CredentialsExpired | None:
        """Return nothing: what waits is told on its lab's screen."""
        return None

    def _list(self) -> None:
        self.rows = self._labs.rows(self.app.standings.latest)
        typed, now = self.query_one("#filter", Input).value, time.time()
        fitting = [row for row in self.rows if row.fits(typed)]
        labs = self.query_one("#labs", OptionList)
        ids = tuple(row.id for row in fitting)
        if ids == self._listed:
            for row in fitting:
                labs.replace_option_prompt(row.id, Text(row.line(now)))
            return
        marked = self._shown
        self._listed = ids
        labs.clear_options()
        for place, row in enumerate(fitting):
            if not place or fitting[place - 1].course != row.course:
                heading = one_line(row.course or "labs")
                labs.add_option(Option(Text(heading, "bold"), disabled=True))
            labs.add_option(Option(Text(row.line(now)), id=row.id))
        if ids:
            labs.highlighted = labs.get_option_index(marked if marked in ids else ids[0])

    @on(Input.Changed, "#filter")
    def _narrow(self) -> None:
        self._list()

    @on(Input.Submitted, "#filter")
    def _to_list(self) -> None:
        self.query_one("#labs", OptionList).focus()

    def action_filter(self) -> None:
        """Let a text be typed."""
        self.query_one("#filter", Input).focus()

    def action_unfilter(self) -> None:
        """Show all labs again."""
        self.query_one("#filter", Input).value = ""
        self.query_one("#labs", OptionList).focus()

    # What is told of a lab

    @on(OptionList.OptionHighlighted, "#labs")
    def _describe(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_id is None or event.option_id == self._shown:
            return
        row = self._row(event.option_id)
        self._shown, self._asking = row.id, None
        argument, choices = self._labs.argument(row)

        def read(cancelled: threading.Event) -> About:
            from labctl.tui.about import read_about

            prepare()
            return read_about(argument, row.file, choices)

        self._reading = Operation("about", read)
        # Not before the labs are seen: a thread that imports takes half of the processor's time.
        self.call_after_refresh(self._reading.start)

    def _take_about(self) -> None:
        if self._reading is not None and self._reading.ended.is_set():
            from labctl.tui.about import About

            about, self._reading = self._reading.result, None
            if isinstance(about, About):
                self._show_about(about)
        self._take_refusals()

    def _show_about(self, about: About) -> None:
        self.query_one("#readme", Instructions).put(about.readme)
        plan = self.query_one("#plan", Static)
        plan.update("\n".join(about.plan))
        self.query_one("#about").scroll_home(animate=False)
        if about.lab is None:
            self._say_needs(f"! {about.problem or 'the lab cannot be read'}")
            return
        argument, choices = self._labs.argument(self._row(self._shown))
        lab = about.lab

        def ask(cancelled: threading.Event) -> tuple[str, ...]:
            from labctl.tui.about import refusals

            return refusals(argument, lab, choices)

        self._asking = Operation("needs", ask)
        self._asked_at = time.monotonic()
        self._asking.start()
        self._say_needs("")

    def _take_refusals(self) -> None:
        asking = self._asking
        if asking is None:
            return
        waited = time.monotonic() - self._asked_at
        if not asking.ended.is_set():
            if waited > _ANSWER_WITHIN_S:
                self._say_needs(f"! the target has not answered for {_ANSWER_WITHIN_S:.0f} s")
                self._asking = None
            return
        self._asking = None
        if asking.error is not None:
            self._say_needs(f"! {one_line(asking.error.message, limit=400)}")
        elif isinstance(asking.result, tuple) and asking.result:
            self._say_needs(f"! this target cannot give it: {'; '.join(asking.result)}")
        else:
            self._say_needs("this target can give everything that it needs")

    def _say_needs(self, text: str) -> None:
        needs = self.query_one("#needs", Static)
        needs.update(text)
        needs.display = bool(text)

    def action_plan(self) -> None:
        """Change between the instructions and the plan."""
        plan, readme = self.query_one("#plan"), self.query_one("#readme")
        plan.display, readme.display = not plan.display, not readme.display
        self.query_one("#about").scroll_home(animate=False)

    # Opening

    @on(OptionList.OptionSelected, "#labs")
    def _open(self, event: OptionList.OptionSelected) -> None:
        if event.option_id is not None:
            self.app.open_row(self._row(event.option_id))

    def _row(self, id: str) -> Row:
        return next(row for row in self.rows if row.id == id)

    def action_help(self) -> None:
        """List the keys."""
        groups = {
            "Everywhere": key_lines(self.app.BINDINGS),
            "Catalogue": key_lines([*LabList.BINDINGS, *self.BINDINGS]),
        }
        self.app.push_screen(Help(groups))
