"""A screen with one panel on it, fed by a test's own events, and waiting without sleeps."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen

from labctl.engine.choices import Choices
from labctl.engine.vocabulary import vocabulary
from labctl.events import Event
from labctl.session import Session
from labctl.spec.lab import Lab
from labctl.spec.load import load_lab
from labctl.tui.panels.base import Panel
from labctl.tui.screens.lab import LabScreen
from labctl.tui.view import SessionView

LABS = Path(__file__).parents[2] / "labs"
SMALL, LARGE = (80, 24), (200, 50)
HOSTILE = (
    "[/x]",
    "[bold red]no[/]",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "\u202eevil\u2066",
    "two\nlines\ttab",
    "\ud800 half",
    "a" * 10_000_000,
    "\x00",
)


def lab_named(name: str) -> Lab:
    return load_lab(LABS / name / "lab.yaml", vocabulary())


class Host(Screen[None]):
    """What a panel needs of the lab's screen, drawn as often."""

    CSS_PATH = Path(inspect.getfile(LabScreen)).with_name("lab.tcss")

    def __init__(self, panel: Panel, lab: Lab) -> None:
        super().__init__()
        self.panel, self.lab, self.view = panel, lab, SessionView()
        self.drawn = 0  # the version of the view that was drawn last

    def session(self) -> Session:
        return Session(str(self.lab.path), Choices())

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.panel.focus()
        self.set_interval(1 / 15, self.draw)

    def draw(self) -> None:
        self.panel.show(self.view, time.time())
        self.drawn = self.view.version


class PanelApp(App[None]):
    """One panel, and nothing else."""

    def __init__(self, panel: Panel, lab: Lab) -> None:
        super().__init__()
        self.host = Host(panel, lab)

    def on_mount(self) -> None:
        self.push_screen(self.host)

    def tell(self, *events: Event, at: float | None = None) -> None:
        for event in events:
            self.host.view.fold(time.time() if at is None else at, event)

    def seen(self) -> str:
        """Return what the screen shows, as text."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for y in range(self.size.height):
            strip = self.screen._compositor.render_strips()[y]
            yield strip.text


async def until(
    pilot: Pilot[None], condition: Callable[[], bool], *, deadline_s: float = 20
) -> None:
    """Let the app run until the condition holds."""
    ends = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < ends, f"not within {deadline_s} s:\n{_seen(pilot)}"
        await pilot.pause(0.02)


async def until_seen(pilot: Pilot[None], *texts: str, deadline_s: float = 20) -> None:
    """Let the app run until the screen shows all of these."""
    await until(pilot, lambda: all(text in _seen(pilot) for text in texts), deadline_s=deadline_s)


def _seen(pilot: Pilot[None]) -> str:
    app = pilot.app
    assert isinstance(app, PanelApp)
    return app.seen()


def assert_harmless(seen: str) -> None:
    """Nothing of a stranger's that a terminal would obey is on the screen."""
    assert not any(ord(letter) < 32 and letter != "\n" for letter in seen)
    assert not any(letter in seen for letter in "\x7f\x9b\u202e\u2066")
