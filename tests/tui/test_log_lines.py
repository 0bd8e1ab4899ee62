"""The log follows its latest line, hidden or not, until one scrolls up."""

from __future__ import annotations

import time

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from labctl.tui.log_lines import LogLines
from labctl.tui.view import LogLine

DEADLINE_S = 20.0


class LogApp(App[None]):
    """Nothing but the lines."""

    def compose(self) -> ComposeResult:
        yield LogLines(id="log")


def lines(first: int, count: int) -> list[LogLine]:
    return [LogLine(0.0, "info", "s", f"line {n:06}") for n in range(first, first + count)]


def shown(pilot: Pilot[None]) -> str:
    log = pilot.app.query_one(LogLines)
    return "\n".join(log.render_line(y).text for y in range(log.size.height))


async def until_shown(pilot: Pilot[None], text: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while text not in shown(pilot):
        assert time.monotonic() < deadline, shown(pilot)
        await pilot.pause()


async def test_it_follows_also_what_came_while_it_was_hidden() -> None:
    async with LogApp().run_test(size=(40, 10)) as pilot:
        log = pilot.app.query_one(LogLines)
        log.add(lines(0, 100))
        await until_shown(pilot, "line 000099")
        log.display = False
        await pilot.pause()
        log.add(lines(100, 7000))
        log.display = True
        await until_shown(pilot, "line 007099")


async def test_it_stays_where_one_has_scrolled_to() -> None:
    async with LogApp().run_test(size=(40, 10)) as pilot:
        log = pilot.app.query_one(LogLines)
        log.add(lines(0, 100))
        await until_shown(pilot, "line 000099")
        log.scroll_home(animate=False)
        await until_shown(pilot, "line 000000")
        log.add(lines(100, 10))
        await pilot.pause()
        assert "line 000000" in shown(pilot)
        log.scroll_end(animate=False)
        await until_shown(pilot, "line 000109")
        log.add(lines(110, 10))
        await until_shown(pilot, "line 000119")
