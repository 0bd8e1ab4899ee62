"""The panel `log`: keys narrow it by level, by what a line is about, and by text."""

from __future__ import annotations

import inspect

from labctl import bench_events, events
from labctl.tui.log_sources import OTHERS, SOURCES, source_of
from labctl.tui.panels.log import LogPanel
from tests.tui import recorded
from tests.tui.panel_host import SMALL, PanelApp, lab_named, until, until_seen


def test_every_source_has_an_event_and_few_have_none() -> None:
    names = {
        name
        for module in (events, bench_events)
        for name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, events.Event) and member is not events.Event
    }
    assert {source_of(name) for name in names} == set(SOURCES) - {""}
    others = {name for name in names if source_of(name) == OTHERS}
    assert others == {
        *("TargetReady", "PhaseStarted", "PhaseEnded", "QueueSampled"),
        *("Warned", "UpFinished", "EndMoved"),
    }


async def test_o_goes_through_what_there_is() -> None:
    running = PanelApp(LogPanel(), lab_named("numbers"))
    async with running.run_test(size=SMALL) as pilot:
        for at, event in recorded.brought_up():
            running.tell(event, at=at)
        running.tell(recorded.job(7), recorded.job(8, state="failed"))
        await until_seen(pilot, "job-00007 done", "job-00008 failed")
        for source in ("resources", "machines", "jobs"):
            await pilot.press("o")
            await until_seen(pilot, f" {source} ━")
            await until(pilot, lambda wanted=source: _about(running) == {wanted})  # type: ignore[misc]
        await pilot.press("slash", *"failed", "enter")
        await until_seen(pilot, "jobs, with 'failed'", "job-00008 failed")
        assert "job-00007" not in running.seen()
        await pilot.press("o", "o")
        await until_seen(pilot, "━ with 'failed' ━")


def _about(running: PanelApp) -> set[str]:
    """Return what the shown lines are about."""
    seen = running.seen()
    of_lines = {
        line.text: source_of(line.source) for line in running.host.view.log if line.text in seen
    }
    return set(of_lines.values())
