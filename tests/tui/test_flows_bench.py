"""A lab is measured from its screen on a real local cloud, and the rounds are seen to come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.cloud import launch
from labctl.engine.choices import Choices
from labctl.tui.app import LabctlApp
from tests.benchmarks.mini import write_mini_lab
from tests.tui.flows import House, begun, house

__all__ = ["house"]


@pytest.fixture
def mini(house: House) -> Iterator[Path]:
    yield write_mini_lab(house.folder / "mini")
    launch.stop(house.state)


async def test_the_screen_measures_a_lab_and_shows_the_rounds(mini: Path) -> None:
    app = LabctlApp(Choices(), lab=str(mini))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("mini: not started")
        await screen.press("a", *"bench", "enter")
        await screen.until_shown("What is measured.")
        await screen.press("enter", "down", "enter")  # the first of the choices below all
        await screen.until_shown("waits")
        await screen.press("tab", "home", "shift+end", "2", "enter")
        await screen.until_screen("LabScreen")
        await screen.until(lambda: "waits: round" in screen.shown, within_s=120)
        assert screen.lab.panel.heading == "Benchmark"
        await screen.until(lambda: "waits: measured (2 rounds)" in screen.shown, within_s=120)
        await screen.until_shown("mini: up")
        await screen.until_shown("slow: too few rounds to tell: it takes 4 of each")
        await screen.until_told("measured: waits")
