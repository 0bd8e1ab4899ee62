"""The panel `benchmark`: live while a lab is measured, a table and a plot, small and large."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl import bench_events as b
from labctl import events as e
from labctl.tui.panels.benchmark import BenchmarkPanel
from labctl.tui.view import SessionView
from tests.tui import measured, recorded
from tests.tui.panel_host import (
    HOSTILE,
    LARGE,
    SMALL,
    PanelApp,
    assert_harmless,
    lab_named,
    until,
    until_seen,
)
from tests.tui.picturing import compare, played, settled

SNAPSHOTS = Path(__file__).with_name("snapshots")
both_sizes = pytest.mark.parametrize("size", [SMALL, LARGE])


def app() -> PanelApp:
    return PanelApp(BenchmarkPanel(), lab_named("numbers"))


@both_sizes
async def test_rounds_are_shown_as_they_come(size: tuple[int, int]) -> None:
    running = app()
    async with running.run_test(size=size) as pilot:
        await until_seen(pilot, "Nothing was measured yet")
        running.tell(measured.started(), *measured.prepared())
        await until_seen(pilot, "read-write: preparing (4 rounds)", "standalone", "sysbench 1.0.20")
        running.tell(*measured.rounds(until=1)[:2])
        await until_seen(pilot, "round 1 of 4: standalone", "401.5")
        running.tell(*measured.rounds(until=4)[2:], measured.finished())
        await until_seen(
            pilot,
            "read-write: measured",
            "399.9",  # the median
            "transactions per s",
            "cluster: really slower than standalone",
        )


async def test_a_benchmark_that_was_cut_short_says_why() -> None:
    running = app()
    async with running.run_test(size=SMALL) as pilot:
        running.tell(measured.started(), measured.finished(why="the benchmark was stopped"))
        await until_seen(pilot, "cut short: the benchmark was stopped")


async def test_one_that_nobody_measures_any_more_is_cut_short() -> None:
    running = app()
    async with running.run_test(size=SMALL) as pilot:
        running.tell(measured.started(), *measured.rounds(until=2))
        await until_seen(pilot, "round 2 of 4")
        assert running.host.view.leave()
        assert not running.host.view.benchmarks.leave()
        await until_seen(pilot, "read-write: cut short")


def test_a_lab_whose_measuring_was_killed_stands_as_it_did() -> None:
    view = SessionView()
    done = e.UpFinished(lab="l", session="s", ok=True, changed=0, phases_s={})
    for event in (done, e.PhaseStarted(phase="bench"), measured.started()):
        view.fold(1.0, event)
    assert view.leave()
    assert (view.shown, view.phase, view.left_in) == ("up", "", "")


async def test_keys_turn_to_the_other_benchmarks() -> None:
    running = app()
    async with running.run_test(size=SMALL) as pilot:
        running.tell(*measured.whole("read-only"), *measured.whole("read-write"))
        await until_seen(pilot, "read-write: measured", "2 benchmarks")
        await pilot.press("n")
        await until_seen(pilot, "read-only: measured")
        await pilot.press("n", "p")
        await until_seen(pilot, "read-write: measured")


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_strangers_text_is_only_text(text: str) -> None:
    running = app()
    async with running.run_test(size=SMALL) as pilot:
        running.tell(
            b.BenchmarkStarted(
                benchmark=text, kind=text, say=text, unit=text, subjects=(text, "x"), rounds=-1
            ),
            b.BenchmarkPrepared(benchmark=text, subject=text, tool=text, serves=text, seconds=1),
            b.BenchmarkRoundStarted(benchmark=text, subject=text, round=1, rounds=1),
            *(
                b.BenchmarkRoundMeasured(
                    benchmark=text,
                    subject=text,
                    round=1,
                    rounds=1,
                    per_s=per_s,
                    p95_ms=per_s,
                    errors=-1,
                )
                for per_s in (-5.0, 0.0, 1e300, 1e-300, 3.0)
            ),
            b.BenchmarkFinished(
                benchmark=text,
                ok=False,
                standings=({"subject": text, "verdict": text}, {}),
                why=text,
            ),
        )
        await until(pilot, lambda: running.host.drawn == running.host.view.version)
        assert_harmless(running.seen())


STATES: dict[str, tuple[list[e.Event], str]] = {
    "unmeasured": ([], "Nothing was measured yet"),
    "preparing": ([measured.started()], "preparing"),
    "measuring": (
        [measured.started(), *measured.prepared(), *measured.rounds(until=3)[:-1]],
        "round 3 of 4: cluster",
    ),
    "measured": (measured.whole(), "really slower"),
    "cut-short": (
        [
            measured.started(),
            *measured.rounds(until=2),
            measured.finished(why="the label was wrong"),
        ],
        "cut short: the label was wrong",
    ),
}


@both_sizes
@pytest.mark.parametrize("state", STATES)
async def test_it_looks_as_committed(tmp_path: Path, size: tuple[int, int], state: str) -> None:
    told, wanted = STATES[state]
    history = [(recorded.BEGAN_AT + number, event) for number, event in enumerate(told)]
    panels = ("benchmark", "log")
    async with played(tmp_path, history, size=size, panels=panels) as pilot:
        text = await settled(pilot, wanted)
        compare(text, SNAPSHOTS / f"{state}-{size[0]}x{size[1]}.txt")
