"""The screen of a lab whose events are played from a file: it shows all, and can do nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from labctl.engine.bus import Sink
from labctl.engine.choices import Choices
from labctl.engine.vocabulary import PANELS
from labctl.errors import LabctlError
from labctl.events import Event, JobFinished
from labctl.session import Session
from labctl.spec.lab import Lab, Limits
from labctl.text import one_line
from labctl.tui.app import LabctlApp
from labctl.tui.replay import AT_ONCE, Player
from labctl.tui.replayed_jobs import ReplayedJobs
from labctl.tui.screens.lab import LabScreen
from labctl.tui.screens.lab_actions import Offer

_REFUSED = "this is a replay: there is no session to act on"
_DOING = {"u": "Up", "r": "Run", "a": "Actions", "c": "Check", "d": "Down", "s": "Stop"}


class ReplayScreen(LabScreen, inherit_bindings=False):
    """Plays what the player gives; only looking around, pausing and the speed answer to keys."""

    CSS_PATH = "lab.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause", tooltip="Pause, or go on"),
        Binding("plus,equals_sign", "faster", "Faster", key_display="+", tooltip="Play faster"),
        Binding("minus", "slower", "Slower", key_display="-", tooltip="Play slower"),
        Binding("m", "maximise", "Maximise", tooltip="Show one panel alone, or all again"),
        Binding("tab", "next_panel", "Next panel", show=False),
        Binding("shift+tab", "previous_panel", "Previous panel", show=False),
        Binding("escape", "leave", "Quit", show=False),
        *[Binding(str(n), f"panel({n - 1})", f"Panel {n}", show=False) for n in range(1, 10)],
        *[Binding(key, "refuse", name, show=False) for key, name in _DOING.items()],
    ]

    def __init__(self, file: Path, player: Player, *, panels: Sequence[str] = ()) -> None:
        super().__init__(_bare_lab(file, panels), Choices())
        self.player = player
        self.replayed = ReplayedJobs()

    def session(
        self, *, cancelled: threading.Event | None = None, sinks: Sequence[Sink] = ()
    ) -> Session:
        """Refuse: behind a replay there is none."""
        raise LabctlError(_REFUSED)

    def follow(self) -> None:
        """Nothing is followed: the player has the file."""

    def unfollow(self) -> None:
        """Nothing was followed."""

    def news(self) -> Iterable[tuple[float, Event]]:
        """Yield the events whose time has come."""
        for at, event in self.player.take():
            if isinstance(event, JobFinished):
                self.replayed.take(at, event)
            yield at, event

    def is_left(self) -> bool:
        """A replay tells what the events tell."""
        return False

    def now(self) -> float:
        """Return the time that the replay has come to."""
        return self.player.at

    def head(self, now: float) -> str:
        """Return what is played, how fast, how far it is, and how the lab stood then."""
        speed = "at once" if self.player.speed == AT_ONCE else f"x{self.player.speed:g}"
        how = "ended" if self.player.has_ended else "paused" if self.player.paused else speed
        doing = f" {self.view.phase}..." if self.view.phase else ""
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        parts = [f"replay {how}", f"{self.lab.name}: {self.view.shown}{doing}", clock]
        if self.view.target:
            parts.append(f"{self.view.target} {self.view.region} {self.view.account}".strip())
        if self.view.problem:
            parts.append(f"! {one_line(self.view.problem, limit=120)}")
        return one_line("  |  ".join(parts), limit=400)

    @property
    def offers(self) -> Sequence[Offer]:
        """Nothing can be done to a session that is not there."""
        return ()

    def open_shell(self, machine: str) -> None:
        """Say why there is none."""
        self.action_refuse()

    def action_refuse(self) -> None:
        """Say why nothing can be done here."""
        self.notify(_REFUSED, severity="warning", markup=False)

    def action_pause(self) -> None:
        """Pause, or go on."""
        self.player.toggle()
        self._drawn_version = -1

    def action_faster(self) -> None:
        """Play faster."""
        self.player.faster()
        self._drawn_version = -1

    def action_slower(self) -> None:
        """Play slower."""
        self.player.slower()
        self._drawn_version = -1

    def action_leave(self) -> None:
        """Quit: there is no catalogue to go back to."""
        self.app.exit()


class ReplayApp(LabctlApp):
    """Shows one replay and nothing else."""

    def __init__(self, file: Path, player: Player, *, panels: Sequence[str] = ()) -> None:
        super().__init__(Choices())
        self._replay = file, player, panels

    def begin(self) -> None:
        """Show the replay."""
        file, player, panels = self._replay
        self.push_screen(ReplayScreen(file, player, panels=panels))

    def action_leave(self) -> None:
        """Quit at once."""
        self.exit()


def _bare_lab(file: Path, panels: Sequence[str]) -> Lab:
    """Return a lab of which nothing is known but its name; with no panels named it shows all."""
    name = file.resolve().parent.name if file.name == "events.jsonl" else file.stem
    return Lab(
        path=file,
        name=one_line(name, limit=40),
        title="",
        course="",
        description="",
        params={},
        settings={},
        requires=(),
        limits=Limits(),
        resources={},
        left_out=frozenset(),
        hosts={},
        secrets=(),
        agents={},
        workload=None,
        checks=(),
        actions={},
        benchmarks={},
        panels=tuple(panels or PANELS),
        outputs={},
        dependencies={},
    )
