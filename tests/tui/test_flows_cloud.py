"""The whole way on the local cloud: up, a job sent by hand, down, and the proof on the screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labctl.cloud import launch
from labctl.engine.choices import Choices
from labctl.tui.app import LabctlApp
from tests.tui.flows import House, Screen, begun, house

__all__ = ["house"]


@pytest.fixture
def clouded(house: House) -> Iterator[House]:
    """A house whose cloud is stopped at the end."""
    yield house
    launch.stop(house.state)


async def test_up_send_copy_and_down(clouded: House) -> None:
    async with LabctlApp(Choices(), lab="numbers").run_test(size=(100, 40)) as pilot:
        screen = await begun(pilot)
        await screen.press("u")
        await screen.until(lambda: screen.lab.view.state == "up", within_s=120)
        await screen.until_shown("u Up")
        await screen.press("a", *"send", "enter")
        await screen.until_shown("The body of a job.")
        await screen.press(*"1,2,3,4", "enter")
        await screen.until_shown("The list maximum is : 4")
        await screen.press("enter")
        await screen.press("a", *"copy", "enter")
        await screen.until_shown("copy what?")
        await screen.press(*"archive", "enter")
        await screen.until_told("copied: labctl-numbers-")
        assert "archive" in screen.app.clipboard
        await fault(screen)
        await screen.press("d")
        await screen.until_shown("Delete everything of numbers?")
        assert "s3.bucket" in screen.shown
        await screen.press("y")
        await screen.until(lambda: "Nothing is left" in screen.shown, within_s=120)
        await screen.press("enter")
        await screen.until_shown("numbers: not started")


async def fault(screen: Screen) -> None:
    """Do a harm for a time and end it before; do one that stays, and clear it."""
    form = ("a", *"fault", "enter")
    await screen.press(*form)
    await screen.until_shown("0s: until it is cleared.")
    await screen.press("ctrl+s")
    await screen.until_shown("stop on worker.0 for 30.0 s?")
    await screen.press("y")
    await screen.until_shown("FAULT stop on worker.0, ")
    assert " left" in screen.shown
    await screen.press("s")
    await screen.until_told("the fault is undone")
    await screen.until(lambda: "FAULT" not in screen.shown)
    await screen.press(*form)
    await screen.until_shown("0s: until it is cleared.")
    await screen.press("tab", "tab", "home", "shift+end", *"0s", "enter")
    await screen.until_shown("stop on worker.0 until cleared?")
    await screen.press("y")
    await screen.until_shown("FAULT stop on worker.0")
    await screen.until_told("a, clear ends it")
    await screen.press("a", *"clear", "enter")
    await screen.until_told("faults cleared: 1")
    await screen.until(lambda: "FAULT" not in screen.shown)
