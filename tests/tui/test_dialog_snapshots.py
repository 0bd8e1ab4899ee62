"""The catalogue and every dialog as they look, in a small and a large terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl import events as e
from labctl.actions.base import Fact
from labctl.ledger.lock import session_lock
from labctl.ledger.sessions import session_folder
from labctl.paths import private_folder
from labctl.tui.app import LabctlApp
from labctl.tui.gathered import Gathered
from labctl.tui.screens.proof import Proof
from labctl.tui.screens.results import LiveResults
from tests.tui import recorded
from tests.tui.flows import House, Screen, begun, house
from tests.tui.picturing import compare, settled

__all__ = ["house"]

SNAPSHOTS = Path(__file__).with_name("snapshots")
SIZES = [(80, 24), (200, 50)]


@pytest.mark.parametrize("size", SIZES)
async def test_the_catalogue(house: House, size: tuple[int, int]) -> None:
    house.add_lab("first", title="Two queues", readme="# Do this\n\nThen that:\n\n    a command\n")
    house.add_lab("second", title="A bucket", course="another course")
    async with LabctlApp(house.choices).run_test(size=size) as pilot:
        screen = await begun(pilot)
        await screen.press("slash", *"course", "enter")  # the labs that are shipped change
        await take(screen, "catalogue", "this target can give everything")
        await screen.press("p")
        await take(screen, "catalogue-plan", "USD an hour on AWS")
        await screen.press("question_mark")
        await take(screen, "catalogue-help", "Show only labs that hold")


@pytest.mark.parametrize("size", SIZES)
async def test_every_dialog_of_a_lab(house: House, size: tuple[int, int]) -> None:
    house.add_lab("first")
    async with LabctlApp(house.choices, lab="first").run_test(size=size) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("first: not started")
        for name, keys, wanted in (
            ("actions", ("a",), "Write what is shown to a picture"),
            ("form", ("a", *"upload", "enter"), "Files of this machine."),
            ("scale", ("a", *"scale", "enter"), "now: 0"),
            ("confirm", ("a", *"redrive", "enter"), "dead -> inbox"),
            ("down", ("d",), "Delete everything of first?"),
            ("jump", ("g",), "Go to"),
            ("help", ("question_mark",), "Everywhere"),
        ):
            await screen.press(*keys)
            await take(screen, name, wanted)
            await screen.press("escape")
            await screen.until_screen("LabScreen")


@pytest.mark.parametrize("size", SIZES)
async def test_what_tells_how_it_ended(house: House, size: tuple[int, int]) -> None:
    house.add_lab("first")
    proved = recorded.torn_down()[-1][1]
    assert isinstance(proved, e.TeardownProved)
    gathered = Gathered("send", [Fact(True, "one\n42", {}), Fact(False, "two: no answer", {})])
    async with LabctlApp(house.choices, lab="first").run_test(size=size) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("first: not started")
        await screen.app.push_screen(Proof(proved))
        await take(screen, "proof", "Nothing is left")
        await screen.press("escape")
        await screen.app.push_screen(LiveResults(gathered))
        await take(screen, "results-so-far", "send: 2 so far")
        gathered.ended = True
        await take(screen, "results", "send: 2 in all")


async def take(screen: Screen, name: str, wanted: str) -> None:
    """Hold what is shown, once it is settled, against its committed picture."""
    width, height = screen.app.size
    compare(await settled(screen.pilot, wanted), SNAPSHOTS / f"dialog-{name}-{width}x{height}.txt")


@pytest.mark.parametrize("size", SIZES)
async def test_the_credentials_when_calls_wait(house: House, size: tuple[int, int]) -> None:
    file = house.add_lab("first")
    ended = recorded.paused()[-1][1]
    folder = private_folder(session_folder(house.state, "first").path)
    with session_lock(folder):
        house.add_session("first", file, ended, target="local")
        async with LabctlApp(house.choices, lab="first").run_test(size=size) as pilot:
            screen = await begun(pilot)
            await screen.until_screen("Credentials")  # by itself
            text = await settled(pilot, "labctl creds paste` ")
            width, height = size
            picture = SNAPSHOTS / f"dialog-credentials-{width}x{height}.txt"
            compare(_dialog_of(screen, text), picture)  # behind it are clocks
            await screen.until(lambda: not screen.app.screen.query_one(".dialog").disabled)
            await screen.press("escape")
            await screen.until_shown("first: paused")
            await screen.press("escape")
            await screen.until_screen("CatalogueScreen")
            await screen.until_shown("paused")


def _dialog_of(screen: Screen, text: str) -> str:
    region = screen.app.screen.query_one(".dialog").region
    lines = text.splitlines()[region.y : region.bottom]
    return "".join(f"{line[region.x : region.right]}\n" for line in lines)
