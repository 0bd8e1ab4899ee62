"""The catalogue: which labs there are, how they stand, what they need."""

from __future__ import annotations

import pytest

from labctl import events as e
from labctl.ledger.lock import session_lock
from labctl.ledger.sessions import session_folder
from labctl.tui.app import LabctlApp
from labctl.tui.screens.lab import LabScreen
from tests.tui.flows import House, begun, house

__all__ = ["house"]

UP = e.UpFinished(lab="first", session="first", ok=True, changed=1, phases_s={})
FAILED = e.StepFailed(step="inbox", action="create", resource="inbox", message="no", hint="")


@pytest.mark.parametrize("size", [(80, 36), (40, 20), (200, 50)])
async def test_labs_stand_by_course_with_their_instructions(
    house: House, size: tuple[int, int]
) -> None:
    house.add_lab("first", course="alpha", readme="# Do this\n\nThen that.")
    house.add_lab("second", course="beta")
    async with LabctlApp(house.choices).run_test(size=size) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("Do this")
        for text in ("alpha", "beta", "first", "second", "not started"):
            assert text in screen.shown


async def test_sessions_show_state_time_and_money(house: House) -> None:
    first, second = house.add_lab("first"), house.add_lab("second")
    local = {"target": "local"}
    house.add_session("first", first, UP, **local)
    house.add_session("second", second, FAILED, **local)
    elsewhere = house.folder / "gone" / "lab.yaml"
    house.add_session("stray@somewhere", elsewhere, UP)
    async with LabctlApp(house.choices).run_test(size=(80, 40)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("failed")
        rows = {
            line.split()[0].strip("┃│"): line for line in screen.shown.splitlines() if line.strip()
        }
        assert "up" in rows["first"]
        assert "min" in rows["first"]
        assert "0.00 USD" in rows["first"]
        assert "failed" in rows["second"]
        assert "other sessions" in screen.shown
        assert "stray@somewhere" in screen.shown


async def test_a_session_that_begins_elsewhere_appears(house: House) -> None:
    file = house.add_lab("first")
    async with LabctlApp(house.choices).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("first")
        folder = session_folder(house.state, "first").path
        folder.mkdir(parents=True)
        with session_lock(folder):
            house.add_session("first", file, e.PhaseStarted(phase="provision"), target="local")
            await screen.until_shown("starting")
        await screen.until_shown("stopped")


async def test_typing_filters_and_escape_shows_all_again(house: House) -> None:
    house.add_lab("first", title="Queues")
    house.add_lab("second", title="Buckets")
    async with LabctlApp(house.choices).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("second")
        await screen.press("slash", *"buck")
        await screen.until(lambda: "first " not in screen.shown)
        assert "second" in screen.shown
        await screen.press("escape")
        await screen.until_shown("first ")


async def test_the_plan_its_price_and_what_the_target_refuses(house: House) -> None:
    file = house.add_lab("first")
    file.write_text(file.read_text().replace("kind: s3.bucket}", "kind: s3.bucket, public: true}"))
    async with LabctlApp(house.choices).run_test(size=(120, 40)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("this target cannot give it")
        await screen.press("p")
        await screen.until_shown("USD an hour on AWS")
        assert "sqs.queue" in screen.shown
        assert "budget 2.50 USD" in screen.shown
    assert not (house.state / "cloud").exists(), "nothing was started"


async def test_a_wrong_lab_is_told_and_is_no_end(house: House) -> None:
    file = house.add_lab("first")
    file.write_text(file.read_text().replace("sqs.queue", "sqs.kew"))
    async with LabctlApp(house.choices).run_test(size=(120, 40)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("sqs.kew")
        await screen.press("enter")
        await screen.until_told("sqs.kew")
        assert not isinstance(screen.app.screen, LabScreen)


async def test_enter_opens_and_escape_comes_back(house: House) -> None:
    house.add_lab("first")
    async with LabctlApp(house.choices).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("first")
        await screen.press("enter")
        await screen.until_screen("LabScreen")
        assert screen.lab.lab.name == "first"
        await screen.press("escape")
        await screen.until_screen("CatalogueScreen")


async def test_help_and_palette_work_in_the_catalogue_too(house: House) -> None:
    house.add_lab("first")
    async with LabctlApp(house.choices).run_test(size=(80, 40)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("first")
        await screen.press("question_mark")
        await screen.until_shown("Show only labs that hold what is typed")
        await screen.press("escape", "ctrl+p")
        await screen.until_screen("CommandPalette")
        await screen.press(*"open first")
        await screen.until_one_command()
        await screen.press("enter")
        await screen.until_screen("LabScreen")


async def test_what_stands_beyond_its_time_says_so(house: House) -> None:
    file = house.add_lab("first")
    house.add_session("first", file, UP, target="local", expires_at=1.0)
    async with LabctlApp(house.choices).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("time is over")
        await screen.press("enter")
        await screen.until_shown("first: time is over")
        assert "extend gives it more" in screen.shown
