"""Credentials that end, from the screen, on one local cloud in session mode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input

from labctl.cloud import launch
from labctl.cloud.layout import Layout
from labctl.cloud.session_mode import end_sessions, issue_session, set_session_ttl
from labctl.engine.choices import Choices
from labctl.paths import write_private
from labctl.tui.app import LabctlApp
from labctl.tui.paste_box import PasteBox
from tests.tui.flows import Screen, begun

HOSTILE = "\x1b[31m\x1b]0;owned\x07[bold]x[/bold]\u202e\x00" * 3


@pytest.fixture(scope="module")
def academy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of a running cloud whose keys end."""
    state = tmp_path_factory.mktemp("academy") / "state"
    set_session_ttl(state, 3600.0)
    launch.ensure_started(state)
    yield state
    launch.stop(state)


@pytest.fixture
def state(academy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """That cloud's state, with keys that are good; a test works in a folder of its own."""
    monkeypatch.setenv("LABCTL_STATE", str(academy))
    monkeypatch.chdir(tmp_path)
    save_by_editor(academy)
    return academy


def save_by_editor(state: Path) -> None:
    write_private(Layout.of(state).session_file, issue_session(state).block())


async def paste(screen: Screen, text: str) -> None:
    screen.app.post_message(events.Paste(text))
    await screen.pilot.pause()


async def until_seen(screen: Screen) -> None:
    """Wait until a box that opened by itself takes keys."""
    await screen.until_shown("Later (esc)")
    await screen.until(lambda: not screen.app.screen.query_one(".dialog").disabled)


@asynccontextmanager
async def numbers(size: tuple[int, int] = (80, 24)) -> AsyncIterator[Screen]:
    async with LabctlApp(Choices(), lab="numbers").run_test(size=size) as pilot:
        screen = await begun(pilot)
        await screen.until(lambda: screen.lab.keys and screen.lab.keys.standing.report)
        yield screen


async def test_a_run_goes_on_with_what_is_pasted(state: Path) -> None:
    choices = Choices(settings={"jobs": "2000"})  # enough to be in the middle of them
    async with LabctlApp(choices, lab="numbers").run_test(size=(120, 40)) as pilot:
        screen = await begun(pilot)
        await screen.press("r")
        await screen.until(lambda: screen.lab.view.jobs.done > 20, within_s=120)
        end_sessions(state)
        await screen.until_screen("Credentials")
        await screen.until_shown("PAUSED")
        assert "labctl cloud session | labctl creds paste" in screen.shown
        await until_seen(screen)
        await screen.press("escape")
        await screen.until_shown("numbers: paused")
        await screen.until(lambda: screen.app.standings.latest["numbers"].state == "paused")
        await screen.press("k")
        await screen.until_screen("Credentials")
        keys = issue_session(state)
        await paste(screen, keys.block())
        await screen.until_shown("4 lines, complete")
        secrets = (keys.access_key, keys.secret_key, keys.token)
        assert not any(secret in screen.shown for secret in secrets)
        await screen.press("ctrl+s")
        await screen.until_screen("LabScreen")
        await screen.until(lambda: screen.lab.view.shown != "paused")
        assert not any("there are new" in note for note in screen.told)  # it opened once
        await screen.until(lambda: screen.lab.view.result, within_s=120)
        await screen.until(lambda: screen.lab.operations == [])
        result = screen.lab.view.result
        assert result is not None
        assert (result.ok, result.jobs["done"], result.jobs["lost"]) == (True, 2000, 0)
        told = [line.source for line in screen.lab.view.log]
        assert told.count("CredentialsExpired") == 1
        await screen.until(lambda: "KeysPushed" in [x.source for x in screen.lab.view.log])
        await extended(screen)
        screen.lab.actions.do("expire")
        await screen.until_shown("End every session key of the local cloud now?")
        await screen.press("y")
        await screen.until_screen("Credentials")
        await screen.until(lambda: screen.lab.operations == [])
    holders = [file for file in state.rglob("*") if file.is_file() and _holds(file, keys.token)]
    machines = [file for file in holders if file.match(".aws/credentials")]
    assert sorted(holders) == sorted([Layout.of(state).session_file, *machines])
    assert len(machines) == 1


async def extended(screen: Screen) -> None:
    """Give a lab that is up another end: a sooner one asks first."""
    await lives(screen, "5h")
    await screen.until(lambda: "4 h 59 min left" in screen.shown)
    await lives(screen, "30m")
    await screen.until_shown("End numbers in 30 min, sooner than in 4 h 59 min?")
    await screen.press("y")
    await screen.until(lambda: "29 min" in screen.shown)


async def lives(screen: Screen, span: str) -> None:
    await screen.press("a", *"extend", "enter")
    await screen.until_shown("how long it lives from now")
    await screen.press("home", "shift+end", *span, "enter")


def _holds(file: Path, secret: str) -> bool:
    return secret.encode() in file.read_bytes()


async def test_what_is_not_good_is_refused_in_place_and_hostile_pastes_are_only_counted(
    state: Path,
) -> None:
    async with numbers() as screen:
        await screen.press("k")
        await screen.until_screen("Credentials")
        await screen.press("ctrl+s")
        await screen.until_shown("there is no whole block yet")
        for text, said in (
            ("", "paste the block here"),
            (HOSTILE, "lacks aws_access_key_id"),
            ("x" * 100_000, "100,000 characters"),
        ):
            screen.app.screen.query_one(PasteBox).action_clear()
            await paste(screen, text)
            await screen.until_shown(said)
            assert "owned" not in screen.shown
        block = issue_session(state).block()
        screen.app.screen.query_one(PasteBox).action_clear()
        await paste(screen, block[: block.index("aws_session_token")])
        await screen.until_shown("3 lines; what was pasted lacks aws_session_token")
        await screen.press("ctrl+u")
        await paste(screen, block.replace("aws_session_token=", "aws_session_token=x"))
        await screen.press("ctrl+s")
        await screen.until_shown("the pasted keys were not saved")
        assert type(screen.app.screen).__name__ == "Credentials"


async def test_a_block_for_the_minutes_goes_into_the_box_and_minutes_are_remembered(
    state: Path,
) -> None:
    async with numbers() as screen:
        await screen.press("k")
        await screen.until_screen("Credentials")
        minutes = screen.app.screen.query_one("#minutes", Input)
        minutes.focus()
        await paste(screen, issue_session(state).block())
        assert minutes.value == ""
        await screen.until_shown("4 lines, complete")
        await screen.press(*"9999", "enter")
        await screen.until_shown("a number from 0 to 1440")
        minutes.value = "42"
        await screen.press("enter")
        await screen.until_screen("LabScreen")
        await screen.until_shown("keys: about 4")


async def test_it_opens_once_and_closes_itself_when_an_editor_saved_new_keys(state: Path) -> None:
    async with numbers((200, 50)) as screen:
        end_sessions(state)
        assert screen.lab.keys is not None
        screen.lab.keys.look_now()
        await screen.until_screen("Credentials")
        await screen.until_shown("he credentials have ended")  # with or without calls that wait
        save_by_editor(state)
        await screen.until_screen("LabScreen")
        await screen.until_told("there are new credentials")


async def test_a_screen_that_waits_can_be_left_at_once(state: Path) -> None:
    app = LabctlApp(Choices(), lab="numbers")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("keys: ")
        end_sessions(state)
        await screen.press("u")
        await screen.until_screen("Credentials")
        await until_seen(screen)
        await screen.press("escape", "q")
        await screen.until_shown("Stop this and quit?")
        await screen.press("y")
        await screen.until(lambda: app.return_value is not None, within_s=5)
    assert "up was stopped" in str(app.return_value)


async def test_it_warns_before_the_end_and_not_again(state: Path) -> None:
    set_session_ttl(state, 90.0)
    try:
        async with numbers((40, 20)) as screen:
            await screen.until_screen("Credentials")
            await screen.until_shown("The credentials end in")
            await until_seen(screen)
            await screen.press("escape")
            await screen.until_screen("LabScreen")
            await screen.until_shown("keys: ~1 min")
            looked = screen.app.standings.looks
            await screen.until(lambda: screen.app.standings.looks > looked)
            assert type(screen.app.screen).__name__ == "LabScreen"
    finally:
        set_session_ttl(state, 3600.0)
