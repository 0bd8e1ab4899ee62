"""A replay gives every event when its time has come, at any speed, and does nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from labctl import events as e
from labctl.errors import LabctlError, UsageError
from labctl.tui.replay import AT_ONCE, SPEEDS, Player, read_events
from labctl.tui.screens.replay import ReplayApp, ReplayScreen
from tests.tui import recorded
from tests.tui.events_strategy import any_history
from tests.tui.picturing import played, settled, text_of

DEADLINE_S = 20.0
LABCTL = str(Path(sys.executable).with_name("labctl"))


class Clock:
    """A clock that moves when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def phases(*at: float) -> recorded.History:
    return [(each, e.PhaseStarted(phase=f"{each:g}")) for each in at]


def names(taken: recorded.History) -> list[float]:
    return [at for at, _ in taken]


def test_events_come_when_their_time_has_come() -> None:
    clock = Clock()
    player = Player(phases(1000, 1001, 1004), clock=clock)
    assert names(player.take()) == [1000]
    clock.now += 0.9
    assert names(player.take()) == []
    clock.now += 0.2
    assert names(player.take()) == [1001]
    clock.now += 10
    assert names(player.take()) == [1004]
    assert player.has_ended


def test_ten_times_faster_is_ten_times_sooner() -> None:
    clock = Clock()
    player = Player(phases(1000, 1010, 1020), speed=10, clock=clock)
    player.take()
    clock.now += 1.01
    assert names(player.take()) == [1010]


def test_a_pause_stops_the_time() -> None:
    clock = Clock()
    player = Player(phases(1000, 1001), clock=clock)
    player.take()
    player.toggle()
    clock.now += 60
    assert names(player.take()) == []
    player.toggle()
    assert names(player.take()) == []
    clock.now += 1.5
    assert names(player.take()) == [1001]


def test_a_night_between_two_commands_is_not_sat_through() -> None:
    clock = Clock()
    player = Player(phases(1000, 90_000), clock=clock)
    player.take()
    clock.now += 31
    assert names(player.take()) == [90_000]


def test_speeds_go_up_to_at_once_and_down_again() -> None:
    player = Player(phases(1))
    ups = []
    for _ in SPEEDS:
        player.faster()
        ups.append(player.speed)
    assert ups[0] == 2.0
    assert ups[-1] == AT_ONCE
    player.slower()
    assert player.speed == SPEEDS[-1]
    for _ in SPEEDS:
        player.slower()
    assert player.speed == SPEEDS[0]


@given(history=any_history, speed=st.sampled_from((AT_ONCE, *SPEEDS)))
def test_every_event_is_given_once_and_in_its_order(
    history: recorded.History, speed: float
) -> None:
    clock = Clock()
    player = Player(history, speed=speed, clock=clock)
    given_events: recorded.History = []
    for _ in range(len(history) * 2 + 2):
        given_events += player.take()
        clock.now += 200  # longer than the longest silence, at the lowest speed
    assert given_events == history
    assert player.has_ended


def test_a_long_file_is_given_piece_by_piece_and_read_as_it_is_asked_for(tmp_path: Path) -> None:
    file = recorded.write(tmp_path / "events.jsonl", phases(*range(1, 5000)))
    player = Player(read_events(file), speed=AT_ONCE)
    sizes = []
    while not player.has_ended:
        sizes.append(len(player.take()))
    assert sum(sizes) == 4999
    assert max(sizes) <= 1000


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x00" * 3_000_000, b"{}\n" * 100])
def test_a_file_without_events_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "f"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="no file of events") as caught:
        read_events(file)
    assert "events.jsonl" in caught.value.hint


def test_the_command_refuses_a_file_without_events_with_status_2(tmp_path: Path) -> None:
    file = tmp_path / "f.txt"
    file.write_text("no events here\n")
    done = subprocess.run([LABCTL, "replay", str(file)], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    line, hint = done.stderr.splitlines()
    assert line.startswith(f"labctl: {file} is no file of events")
    assert hint.startswith("  ")


def test_the_command_needs_a_terminal(tmp_path: Path) -> None:
    file = recorded.write(tmp_path / "events.jsonl", recorded.busy())
    done = subprocess.run([LABCTL, "replay", str(file)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr


# The screen


def screen_of(pilot: Pilot[str]) -> ReplayScreen:
    screen = pilot.app.screen
    assert isinstance(screen, ReplayScreen)
    return screen


def head_of(pilot: Pilot[str]) -> str:
    return str(pilot.app.screen.query_one("#head").render())


async def until(pilot: Pilot[str], holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, head_of(pilot)
        await pilot.pause()


def app_of(tmp_path: Path, history: recorded.History, speed: float) -> ReplayApp:
    file = recorded.write(tmp_path / "events.jsonl", history)
    return ReplayApp(file, Player(read_events(file), speed=speed))


async def test_the_head_says_replay_and_how_the_lab_stood(tmp_path: Path) -> None:
    async with app_of(tmp_path, recorded.torn_down(), AT_ONCE).run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "ended" in head_of(pilot))
        assert head_of(pilot).startswith("replay ended")
        assert "not started" in head_of(pilot)
        assert screen_of(pilot).view.proof is not None


async def test_space_pauses_and_plus_and_minus_change_the_speed(tmp_path: Path) -> None:
    async with app_of(tmp_path, recorded.busy(), 1).run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "replay x1 " in head_of(pilot))
        await pilot.press("plus")
        await until(pilot, lambda: "replay x2 " in head_of(pilot))
        await pilot.press("minus", "minus")
        await until(pilot, lambda: "replay x0.5 " in head_of(pilot))
        await pilot.press("space")
        await until(pilot, lambda: "replay paused" in head_of(pilot))
        version = screen_of(pilot).view.version
        await pilot.pause(0.1)
        assert screen_of(pilot).view.version == version
        await pilot.press("space", *["plus"] * len(SPEEDS))
        await until(pilot, lambda: "ended" in head_of(pilot))


@pytest.mark.parametrize("key", ["u", "r", "a", "c", "d", "s"])
async def test_what_would_act_on_a_session_is_refused_with_a_word_why(
    tmp_path: Path, key: str
) -> None:
    async with app_of(tmp_path, recorded.busy(), AT_ONCE).run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "ended" in head_of(pilot))
        await pilot.press(key)
        await until(pilot, lambda: bool(pilot.app._notifications))
        assert [each.message for each in pilot.app._notifications] == [
            "this is a replay: there is no session to act on"
        ]
        assert isinstance(pilot.app.screen, ReplayScreen)
        assert screen_of(pilot).operations == []


async def test_no_session_is_ever_made(tmp_path: Path) -> None:
    async with app_of(tmp_path, recorded.busy(), AT_ONCE).run_test() as pilot:
        await until(pilot, lambda: "ended" in head_of(pilot))
        with pytest.raises(LabctlError):
            screen_of(pilot).session()


@pytest.mark.parametrize("key", ["q", "escape"])
async def test_a_key_ends_it(tmp_path: Path, key: str) -> None:
    app = app_of(tmp_path, recorded.busy(), 1)
    async with app.run_test() as pilot:
        await pilot.press(key)
        await until(pilot, lambda: not app.is_running or app._exit)


async def test_the_jobs_that_were_answered_are_shown_from_the_events(tmp_path: Path) -> None:
    async with played(tmp_path, recorded.busy(), size=(80, 24)) as pilot:
        await pilot.press("3")
        await settled(pilot, "101 sent, 100 done, 1 failed")
        await pilot.press("f", "f")
        await settled(pilot, " failed ━")
        assert "not [bold]a number" in text_of(pilot)
        assert "42" not in text_of(pilot)
        await pilot.press("f", "f", "f", "slash", *"00042", "enter", "enter")
        await settled(pilot, "job-00042: done")
        assert '"numbers": [42, 43]' in text_of(pilot)
