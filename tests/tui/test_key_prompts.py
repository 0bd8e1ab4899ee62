"""The credentials box that opens by itself takes nothing from who types at that moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual import events

from labctl.ledger.lock import session_lock
from labctl.ledger.sessions import session_folder
from labctl.paths import private_folder
from labctl.tui.app import LabctlApp
from labctl.tui.paste_box import PasteBox
from labctl.tui.screens.credentials import Credentials
from tests.tui import recorded
from tests.tui.flows import House, Screen, begun, house

__all__ = ["house"]

QUIET = "labctl.tui.screens.credentials._QUIET_S"
LONG_S = 60.0  # nobody types so slowly, not even a busy machine
TYPED = ("2", "x", "tab", "space", "enter", "ctrl+s", "escape")


@asynccontextmanager
async def opened_under_typing(house: House) -> AsyncIterator[Screen]:
    """Type without a pause in a paused lab until the box has opened, and some keys more."""
    file, folder = house.add_lab("first"), session_folder(house.state, "first").path
    with session_lock(private_folder(folder)):
        house.add_session("first", file, recorded.paused()[-1][1], target="local")
        async with LabctlApp(house.choices, lab="first").run_test(size=(80, 24)) as pilot:
            screen = await begun(pilot)
            while not isinstance(screen.app.screen, Credentials):
                await screen.press("2")
            await screen.press(*TYPED)
            yield screen


async def test_keys_of_who_types_neither_land_in_it_nor_close_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QUIET, LONG_S)
    async with opened_under_typing(house) as screen:
        box = screen.app.screen.query_one(PasteBox)
        assert screen.app.screen.query_one(".dialog").disabled
        assert box.give() == ""
        monkeypatch.setattr(QUIET, 0.1)
        await screen.until(lambda: not screen.app.screen.query_one(".dialog").disabled)
        await screen.press("2", "x", "enter")
        assert isinstance(screen.app.screen, Credentials)
        assert box.give() == ""
        await screen.until_shown("Tab takes what is typed")
        await screen.press("tab", "x")
        assert box.give() == "x"
        await screen.press("escape")
        await screen.until_screen("LabScreen")


async def test_a_paste_is_taken_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QUIET, LONG_S)
    async with opened_under_typing(house) as screen:
        screen.app.post_message(events.Paste("aws_access_key_id = A"))
        box = screen.app.screen.query_one(PasteBox)
        await screen.until(lambda: box.give() == "aws_access_key_id = A")
        assert box.has_focus
        await screen.press("escape")
        await screen.until_screen("LabScreen")
