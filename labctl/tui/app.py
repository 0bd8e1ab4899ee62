"""The session screen: the catalogue, and a screen for each lab that is opened from it.

The first frame waits for nothing: what is imported here is what it needs; the core, the screens
and their widgets are imported in a thread, while it is seen (`labctl.tui.beginning`).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Sequence
from threading import Event
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Static

from labctl.errors import LabctlError
from labctl.ledger.sessions import known_sessions
from labctl.paths import state_folder
from labctl.text import harmless, one_line
from labctl.tui.background import in_background
from labctl.tui.commands import LabctlCommands
from labctl.tui.crash import crash_line, write_crash
from labctl.tui.key_line import KeyLine
from labctl.tui.operation import Operation
from labctl.tui.operations import Begun, Operations
from labctl.tui.theme import DARK, LIGHT

if TYPE_CHECKING:
    from labctl.engine.choices import Choices
    from labctl.tui.beginning import Beginning
    from labctl.tui.key_prompts import KeyPrompts
    from labctl.tui.keys import AllKeys
    from labctl.tui.labs import Labs
    from labctl.tui.rows import Row
    from labctl.tui.standings import Standings

_TENDS_PER_S = 10
_SETTLED_S = 4.0  # after a screen is shown: then what it needs has been imported
_GENTLE_S = 20.0  # so long a stopped operation may take to end before labctl leaves anyway


class LabctlApp(App[str]):
    """Shows what the facade and the events files tell; it has no logic of its own.

    It returns what to say when it has ended: how to come back. A lab or catalogue that cannot be
    opened at the start ends it; `refusal` then says why.
    """

    TITLE = "labctl"
    CSS = "#opening { height: 1; background: $panel; padding: 0 1; text-style: bold; }"
    COMMANDS = App.COMMANDS | {LabctlCommands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Quit", tooltip="Quit; labs that are up stay up"),
        Binding("ctrl+t", "turn_theme", "Light or dark", show=False),
        Binding("ctrl+p", "command_palette", "Palette", show=False, tooltip="Everything by name"),
    ]

    def __init__(self, choices: Choices, *, lab: str = "") -> None:
        super().__init__()
        self.choices, self._first = choices, lab
        self.operations = Operations()
        self._begun: Beginning | None = None  # known a moment after the first frame
        self._prompts: KeyPrompts | None = None
        self.refusal: LabctlError | None = None
        self._leave_by: float | None = None  # a time: then it leaves, whatever still runs
        self._stopped: list[str] = []

    def compose(self) -> ComposeResult:
        """Lay out the first frame."""
        what = one_line(self._first, limit=60) if self._first else "labs"
        yield Static(f"labctl: {what}...", id="opening", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Dress, and begin."""
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        self.begin()

    def begin(self) -> None:
        """Show the catalogue, or the lab that was asked for, once the first frame is seen."""

        def load() -> Beginning:
            from labctl.tui.beginning import load

            return load(self.choices, self._first)

        self.call_after_refresh(in_background, self, load, self._show_first, name="beginning")

    def _show_first(self, begun: Beginning | LabctlError) -> None:
        if isinstance(begun, LabctlError):
            self.refusal = begun
            self.exit()
            return
        self._begun = begun
        screen = begun.screen()
        self.push_screen(screen)
        screen.call_after_refresh(self.standings.start)  # it too imports, once the screen is seen
        self.set_interval(1 / _TENDS_PER_S, self._tend)
        # What was imported stays: to look all of it over for garbage, some keys wait for 0.15 s.
        self.set_timer(_SETTLED_S, gc.freeze)

    def on_unmount(self) -> None:
        """Look no more."""
        gc.unfreeze()
        if self._begun is not None:
            self.standings.stop()
            self.keys.stop()

    @property
    def labs(self) -> Labs:
        """The labs there are; known to every screen but the first frame."""
        assert self._begun is not None, "no screen is shown before"
        return self._begun.labs

    @property
    def standings(self) -> Standings:
        """How the sessions stand; known to every screen but the first frame."""
        assert self._begun is not None, "no screen is shown before"
        return self._begun.standings

    @property
    def keys(self) -> AllKeys:
        """The credentials of the targets; known to every screen but the first frame."""
        assert self._begun is not None, "no screen is shown before"
        return self._begun.keys

    # Opening

    def open_lab(self, name: str, choices: Choices) -> None:
        """Show a lab's screen once its file is read; what is wrong with it is told."""
        from labctl.tui.beginning import prepare_labs
        from labctl.tui.labs import Found, find

        def read(cancelled: Event) -> Found:
            prepare_labs()
            return find(name, choices)

        def show(found: object) -> None:
            from labctl.tui.screens.lab import LabScreen

            assert isinstance(found, Found), "the work gives a lab and its choices"
            self._leave_screens()
            self.push_screen(LabScreen(*found))
            self.set_timer(_SETTLED_S, gc.freeze)

        self.operations.begin(Operation("open", read), session="", then=show)

    def open_row(self, row: Row) -> None:
        """Show the lab or the session of a row of the catalogue."""
        self.open_lab(*self.labs.argument(row))

    @property
    def rows(self) -> Sequence[Row]:
        """Every lab and session there is; none before they are known, or in a replay."""
        return self.labs.rows(self.standings.latest) if self._begun else ()

    def show_catalogue(self) -> None:
        """Go back to the catalogue, as it was left; what runs goes on."""
        from labctl.tui.screens.catalogue import CatalogueScreen

        self._leave_screens()
        if not isinstance(self.screen, CatalogueScreen):
            self.push_screen(CatalogueScreen(self.labs))

    def _leave_screens(self) -> None:
        """Leave every screen but the catalogue and the first frame."""
        from labctl.tui.screens.catalogue import CatalogueScreen

        while len(self.screen_stack) > 1 and not isinstance(self.screen, CatalogueScreen):
            self.pop_screen()

    # What runs

    def _tend(self) -> None:
        for begun in self.operations.take_ended():
            self._tell_end(begun)
        question = self.operations.take_question()
        if question is not None:
            from labctl.tui.screens.confirm import Confirm

            def answered(yes: bool | None) -> None:
                question.yes = bool(yes)
                question.answered.set()

            self.push_screen(Confirm(question.say, question.names), answered)
        self._ask_for_keys()
        self._leave_when_ended()

    def _ask_for_keys(self) -> None:
        """Ask for new credentials when it is time, and nothing else is asked."""
        from labctl.tui.key_prompts import KeyPrompts

        self._prompts = self._prompts or KeyPrompts()
        if self._leave_by is not None or not self.screen_stack:
            return  # a last tick comes when the screens are gone
        if self._prompts.due(self.screen):
            self._show_credentials(by_itself=True)

    def action_credentials(self) -> None:
        """Show the credentials of what is on the screen, and take new ones."""
        self._show_credentials()

    def _show_credentials(self, *, by_itself: bool = False) -> None:
        from labctl.tui.key_prompts import ShowsKeys
        from labctl.tui.screens.credentials import Credentials

        screen = self.screen
        if isinstance(screen, ShowsKeys) and screen.keys is not None:
            screen.keys.look_now()
            self.push_screen(Credentials(screen.keys, waits=screen.waits, by_itself=by_itself))

    def _tell_end(self, begun: Begun) -> None:
        from labctl.tui.screens.lab import LabScreen

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

        from labctl.tui.screens.confirm import Confirm

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
