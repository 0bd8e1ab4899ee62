"""The screen as it looks, empty, busy, failed and torn down, in a small and a large terminal.

The texts are what a change is read by; the pictures hold colours and styles.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.tui.panels.registry import panels
from tests.tui import recorded
from tests.tui.picturing import compare, played, settled, svg_of, text_of

SNAPSHOTS = Path(__file__).with_name("snapshots")
HISTORIES = {
    "empty": list,
    "busy": recorded.busy,
    "paused": recorded.paused,
    "failed": recorded.failed,
    "torn-down": recorded.torn_down,
}
SHOWN = ("resources", "queues", "jobs", "machines", "checks", "log")


@pytest.mark.parametrize("state", HISTORIES)
async def test_a_large_terminal_shows_the_panels_beside_each_other(
    tmp_path: Path, state: str
) -> None:
    async with played(tmp_path, HISTORIES[state](), size=(200, 50), panels=SHOWN) as pilot:
        compare(text_of(pilot), SNAPSHOTS / f"{state}-200x50.txt")
        compare(svg_of(pilot), SNAPSHOTS / f"{state}-200x50.svg")


@pytest.mark.parametrize("state", HISTORIES)
async def test_a_small_terminal_shows_one_panel_at_a_time(tmp_path: Path, state: str) -> None:
    async with played(tmp_path, HISTORIES[state](), size=(80, 24), panels=SHOWN) as pilot:
        for number, panel in enumerate(SHOWN, start=1):
            await pilot.press(str(number))
            text = await settled(pilot, f"[{number} {panels()[panel].heading}]")
            compare(text, SNAPSHOTS / f"{state}-80x24-{panel}.txt")
            compare(svg_of(pilot), SNAPSHOTS / f"{state}-80x24-{panel}.svg")


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 12), (30, 10)])
async def test_every_panel_there_is_draws_every_history(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    for history in HISTORIES.values():
        async with played(tmp_path, history(), size=size) as pilot:
            for number in range(1, min(9, len(panels())) + 1):
                await pilot.press(str(number))
                assert "replay ended" in text_of(pilot)


async def test_what_is_hostile_shows_as_harmless_text(tmp_path: Path) -> None:
    async with played(tmp_path, recorded.busy(), size=(200, 50), panels=SHOWN) as pilot:
        assert "not [bold]a number" in text_of(pilot)
        assert "\x1b" not in text_of(pilot)
