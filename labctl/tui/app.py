"""The session screen: the catalogue, and a screen for each lab that is opened from it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen

from labctl.engine.opening import Choices
from labctl.errors import LabctlError
from labctl.ledger.sessions import SessionRecord, known_sessions
from labctl.paths import state_folder
from labctl.session import Session
from labctl.spec.lab import Lab
from labctl.text import harmless, one_line
from labctl.tui.commands import LabctlCommands
from labctl.tui.crash import crash_line, write_crash
from labctl.tui.operation import Operation
from labctl.tui.operations import Begun, Operations
from labctl.tui.screens.catalogue import CatalogueScreen
from labctl.tui.screens.confirm import Confirm
from labctl.tui.screens.lab import LabScreen
from labctl.tui.standings import Standings
from labctl.tui.theme import DARK, LIGHT

_TENDS_PER_S = 10
_GENTLE_S = 20.0  # so long a stopped operation may take to end before labctl leaves anyway


class LabctlApp(App[str]):
    """Shows what the facade and the events files tell; it has no logic of its own.

    It returns what to say when it has ended: how to come back. A lab that is named and cannot be
    opened is a `LabctlError` before anything is shown.
    """

    TITLE = "labctl"
    COMMANDS = App.COMMANDS | {LabctlCommands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Quit", tooltip="Quit; labs that are up stay up"),
        Binding("ctrl+t", "turn_theme", "Light or dark", show=False),
        Binding("ctrl+p", "command_palette", "Palette", show=False, tooltip="Everything by name"),
    ]

    def __init__(self, choices: Choices, *, lab: str = "") -> None:
        super().__init__()
        self.choices = choices
        self.operations, self.standings = Operations(), Standings()
        self._first = _found(lab, choices) if lab else None
        self._leave_by: float | None = None  # a time: then it leaves, whatever still runs
        self._stopped: list[str] = []

    def on_mount(self) -> None:
        """Dress, and begin."""
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        self.begin()
        self.set_interval(1 / _TENDS_PER_S, self._tend)

    def begin(self) -> None:
        """Show the catalogue, or the lab that was asked for."""
        self.standings.start()
        self.push_screen(CatalogueScreen(self.choices))
        if self._first is not None:
            self.push_screen(LabScreen(*self._first))

    def on_unmount(self) -> None:
        """Look no more."""
        self.standings.stop()

    # Opening

    def open_lab(self, name: str, choices: Choices | None = None) -> None:
        """Show a lab's screen once its file is read; what is wrong with it is told."""
        chosen = choices or self.choices

        def show(found: object) -> None:
            assert isinstance(found, Found), "the work gives a lab and its choices"
            while len(self.screen_stack) > 2:  # the blank one and the catalogue stay
                self.pop_screen()
            self.push_screen(LabScreen(*found))

        self.operations.begin(
            Operation("open", lambda cancelled: _found(name, chosen)), session="", then=show
        )

    def open_session(self, record: SessionRecord) -> None:
        """Show the screen of a session, of the catalogue or not."""
        self.open_lab(record.lab_file, choices_of(record, self.choices))

    # What runs

    def _tend(self) -> None:
        for begun in self.operations.take_ended():
            self._tell_end(begun)
        question = self.operations.take_question()
        if question is not None:

            def answered(yes: bool | None) -> None:
                question.yes = bool(yes)
                question.answered.set()

            self.push_screen(Confirm(question.say, question.names), answered)
        self._leave_when_ended()

    def _tell_end(self, begun: Begun) -> None:
        operation = begun.operation
        self.standings.look_now()
        for screen in self.screen_stack:
            if isinstance(screen, LabScreen):
                screen.redraw()
        if operation.error is not None:
            stopped = operation.state == "stopped"
            self.tell_error(operation.name, operation.error, stopped=stopped)
        elif begun.then is not None and self._leave_by is None:
            begun.then(operation.result)

    def tell(self, message: str, *, severity: SeverityLevel = "information") -> None:
        """Say something in a corner of the screen; it may be foreign text."""
        self.notify(harmless(message, limit=600), severity=severity, markup=False)

    def tell_error(self, doing: str, error: LabctlError, *, stopped: bool = False) -> None:
        """Say what went wrong and what to do about it."""
        hint = f"\n{error.hint}" if error.hint else ""
        self.notify(
            harmless(f"{doing}: {error.message}{hint}", limit=800),
            severity="warning" if stopped else "error",
            timeout=15,
            markup=False,
        )

    def copy_out(self, text: str) -> None:
        """Put a text into the clipboard of the terminal, by its own escape sequence."""
        clean = one_line(text, limit=4000)
        self.copy_to_clipboard(clean)
        self.tell(f"copied: {clean}")

    # Leaving

    def action_turn_theme(self) -> None:
        """Change between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Give the toolkit's own commands but for those that we have ourselves."""
        ours = ("Quit", "Keys")
        return [each for each in super().get_system_commands(screen) if each.title not in ours]

    async def action_quit(self) -> None:
        """Quit as by our own key."""
        self.action_leave()

    def action_leave(self) -> None:
        """Quit at once, labs stay up; what brings up or takes down is asked about first."""
        changing = self.operations.changing()
        if not changing or self._leave_by is not None:
            self._leave()
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._stop_and_leave()

        names = [f"{each.operation.name} {each.session}" for each in changing]
        question = "Stop this and quit? The same command goes on where it stopped."
        self.push_screen(Confirm(question, names), answered)

    def _stop_and_leave(self) -> None:
        self._leave_by = time.monotonic() + _GENTLE_S
        for begun in self.operations.changing():
            begun.operation.cancelled.set()
            lab = begun.session.partition("@")[0]
            self._stopped.append(f"{begun.operation.name} was stopped: labctl open {lab} shows it")
        self.tell("stopping; q again leaves at once", severity="warning")

    def _leave_when_ended(self) -> None:
        if self._leave_by is None:
            return
        if not self.operations.changing() or time.monotonic() > self._leave_by:
            self._leave()

    def _leave(self) -> None:
        up = [record.name for record in known_sessions(state_folder())]
        said = list(self._stopped)
        if up:
            said.append(f"still up: {', '.join(up)}; next: labctl status   or: labctl")
        self.exit("\n".join(one_line(line, limit=400) for line in said))

    # Breaking

    def _handle_exception(self, error: Exception) -> None:
        """End with one line; the toolkit's own report would show every variable."""
        if not self._return_code:  # the first one is the cause of the others
            self._return_code, self._exception = 1, error
            self.panic(Text(crash_line(error, write_crash(error))))
            self._exception_event.set()


def choices_of(record: SessionRecord, choices: Choices) -> Choices:
    """Return the choices that mean this session and no other."""
    return replace(choices, target=record.target, name=record.name.partition("@")[0])


class Found(NamedTuple):
    """A lab, and the choices that mean one session of it."""

    lab: Lab
    choices: Choices


def _found(name: str, choices: Choices) -> Found:
    session = Session(name, choices)
    if session.is_known:
        choices = choices_of(session.record, choices)
    lab = session.lab
    _ = Session(str(lab.path), choices).record  # refuses a name that means several sessions
    return Found(lab, choices)
