"""Which pictures of the screen there are in `docs/`, and how each is made, the same every time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from textual.pilot import Pilot

from labctl import events as e
from labctl.engine.choices import Choices
from labctl.ledger.lock import session_lock
from labctl.ledger.sessions import session_folder
from labctl.targets.base import KeysReport
from labctl.tui.app import LabctlApp
from labctl.tui.keys import Standing, TargetKeys
from labctl.tui.screens.credentials import Credentials
from labctl.tui.theme import LIGHT
from tests.tui import measured, recorded
from tests.tui.flows import House, begun
from tests.tui.picturing import fixed_zone, played, settled

Size = tuple[int, int]
SMALL, LARGE = (80, 24), (200, 50)
PANELS = ("resources", "queues", "jobs", "log")  # those that events alone fill
AT_WORK = ("queues", "jobs", "machines", "log")
Shown = AbstractAsyncContextManager[Pilot[str]]


@dataclass(frozen=True)
class Picture:
    """A picture's name, what it shows, and what shows it in a house of a test's own."""

    name: str
    says: str
    show: Callable[[House], Shown]


def _events(
    history: recorded.History,
    size: Size,
    *keys: str,
    wanted: str = "replay ended",
    panels: Sequence[str] = PANELS,
    theme: str = "",
) -> Callable[[House], Shown]:
    @asynccontextmanager
    async def show(house: House) -> AsyncIterator[Pilot[str]]:
        async with played(house.folder, history, size=size, panels=panels) as pilot:
            pilot.app.theme = theme or pilot.app.theme
            await pilot.press(*keys)
            await settled(pilot, wanted)
            yield pilot

    return show


def _busy() -> recorded.History:
    """Return a run in which the machine was looked at."""
    history = recorded.busy()
    last, lines = history[-1][0], tuple(f"job-{number:05} done" for number in range(88, 101))
    sampled = [
        e.MachineSampled(
            machine="worker.0",
            id="i-1",
            address="10.0.0.4",
            port=22,
            services={"numbers": "active"},
            cpu_s=10.0 + at,
            memory_bytes=58 * 2**20,
            pids=(7,),
            log=lines,
            why="",
        )
        for at in range(2)
    ]
    return [*history, *((last + number * 2, each) for number, each in enumerate(sampled))]


def _bench(size: Size) -> Callable[[House], Shown]:
    history = [(recorded.BEGAN_AT + number, event) for number, event in enumerate(measured.whole())]
    return _events(history, size, wanted="really slower", panels=("benchmark", "log"))


def _catalogue(size: Size) -> Callable[[House], Shown]:
    @asynccontextmanager
    async def show(house: House) -> AsyncIterator[Pilot[str]]:
        with_states(house)
        with fixed_zone(), session_lock(session_folder(house.state, "waiting").path):
            async with LabctlApp(house.choices).run_test(size=size) as pilot:
                screen = await begun(pilot)
                await screen.press("slash", *"course", "enter")  # the labs that are shipped change
                await settled(pilot, "this target can give everything")
                await settled(pilot, "paused")
                yield pilot

    return show


def with_states(house: House) -> None:
    """Leave labs behind in every state; on `waiting`, whoever holds its lock seems to work."""
    readme = "# Two queues\n\nBring it up, look inside it, hurt it:\n\n    labctl up queues\n"
    now = time.time()
    house.add_lab("queues", title="Two queues", readme=readme)
    ok = e.UpFinished(lab="l", session="s", ok=True, changed=4, phases_s={})
    states: dict[str, tuple[e.Event, ...]] = {
        "running": (ok,),
        "waiting": (ok, recorded.paused()[-1][1]),
        "refused": (recorded.failed()[-2][1],),
        "killed": (e.PhaseStarted(phase="provision"),),
        "overdue": (ok,),
    }
    for name, told in states.items():
        file = house.add_lab(name, title=f"A lab that is {name}", course="another course")
        left_s = -60.0 if name == "overdue" else 3 * 3600 - 20.0
        house.add_session(name, file, *told, target="local", expires_at=now + left_s)


def _credentials(size: Size) -> Callable[[House], Shown]:
    @asynccontextmanager
    async def show(house: House) -> AsyncIterator[Pilot[str]]:
        expired = recorded.paused()[-1][1]
        assert isinstance(expired, e.CredentialsExpired)
        keys = TargetKeys(Choices())
        keys.standing = Standing(_report(expired))
        async with played(house.folder, recorded.paused(), size=size, panels=PANELS) as pilot:
            await pilot.app.push_screen(Credentials(keys, waits=lambda: expired))
            await settled(pilot, "PAUSED")
            yield pilot

    return show


def _report(expired: e.CredentialsExpired) -> KeysReport:
    return KeysReport(
        source=expired.source,
        key="ASIA****",
        account="000000000000",
        identity="student",
        ends_at=None,
        about=False,
        temporary=True,
        traps=(),
        why=expired.why,
        remedy=expired.remedy,
    )


def _dialog(size: Size, *keys: str, wanted: str) -> Callable[[House], Shown]:
    @asynccontextmanager
    async def show(house: House) -> AsyncIterator[Pilot[str]]:
        house.add_lab("first")
        async with LabctlApp(house.choices, lab="first").run_test(size=size) as pilot:
            screen = await begun(pilot)
            await screen.until_shown("first: not started")
            await screen.press(*keys)
            await settled(pilot, wanted)
            yield pilot

    return show


PICTURES = (
    Picture("catalogue", "Every lab, and how it stands", _catalogue(SMALL)),
    Picture("catalogue-large", "The same where there is room", _catalogue(LARGE)),
    Picture("empty", "A lab of which nothing stands", _events([], SMALL)),
    Picture("busy", "A run, one panel at a time", _events(_busy(), SMALL, "2")),
    Picture("busy-large", "The same where there is room", _events(_busy(), LARGE, panels=AT_WORK)),
    Picture("busy-light", "In light", _events(_busy(), LARGE, panels=AT_WORK, theme=LIGHT.name)),
    Picture("failed", "A lab that could not be brought up", _events(recorded.failed(), SMALL)),
    Picture("paused", "Credentials ended", _events(recorded.paused(), SMALL)),
    Picture("credentials", "The box for new ones", _credentials(SMALL)),
    Picture("benchmark", "What was measured", _bench(SMALL)),
    Picture("benchmark-large", "The same where there is room", _bench(LARGE)),
    Picture("form", "An action of a lab", _dialog(SMALL, "a", *"upload", "enter", wanted="Files")),
    Picture("actions", "All that can be done", _dialog(SMALL, "a", wanted="another number")),
    Picture("down", "Down asks first", _dialog(SMALL, "d", wanted="Delete everything of first?")),
    Picture("torn-down", "And proves it", _events(recorded.torn_down(), SMALL, "4")),
)
