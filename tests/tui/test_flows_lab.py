"""The screen of a lab: its keys, what it asks, and what it says when something goes wrong."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl import events as e
from labctl.actions.base import Fact
from labctl.errors import CredentialsError
from labctl.ledger.lock import session_lock
from labctl.ledger.sessions import session_folder
from labctl.paths import private_folder
from labctl.tui.app import LabctlApp
from labctl.tui.screens.catalogue import CatalogueScreen
from labctl.tui.screens.confirm import Confirm
from labctl.tui.screens.help import Help
from labctl.tui.screens.lab_head import trouble_line
from labctl.tui.view import SessionView
from tests.tui.flows import NOWHERE, House, begun, house

__all__ = ["house"]

SIZES = [(80, 24), (40, 20), (200, 50)]


def opened(house: House, name: str = "first") -> LabctlApp:
    house.add_lab(name)
    return LabctlApp(house.choices, lab=name)


@pytest.mark.parametrize("size", SIZES)
async def test_every_size_shows_the_lab_its_state_and_the_way_out(
    house: House, size: tuple[int, int]
) -> None:
    async with opened(house).run_test(size=size) as pilot:
        screen = await begun(pilot)
        for said in ("first: not started", "Actions", "Help", "Quit"):
            await screen.until_shown(said)


async def test_keys_go_from_panel_to_panel(house: House) -> None:
    async with opened(house).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        panels = screen.lab.panels
        await screen.press("2")
        assert screen.lab.panel is panels[1]
        await screen.press("tab")
        assert screen.lab.panel is panels[2]
        await screen.press("shift+tab", "shift+tab")
        assert screen.lab.panel is panels[0]
        await screen.press("g")
        await screen.until_screen("Jump")
        await screen.press("l")
        await screen.until(lambda: screen.lab.panel.heading == "Log")
        await screen.press("g", "x")
        await screen.until_screen("LabScreen")
        assert screen.lab.panel.heading == "Log"


async def test_a_click_makes_a_panel_current(house: House) -> None:
    async with opened(house).run_test(size=(200, 50)) as pilot:
        screen = await begun(pilot)
        last = screen.lab.panels[-1]
        await pilot.pause()
        await pilot.click(last)
        await screen.until(lambda: screen.lab.panel is last)


async def test_escape_leaves_the_large_panel_first_and_then_the_screen(house: House) -> None:
    async with opened(house).run_test(size=(200, 50)) as pilot:
        screen = await begun(pilot)
        lab = screen.lab
        await screen.press("m")
        assert [lab.maximized] == [lab.panel]
        await screen.press("escape")
        assert [lab.maximized] == [None]
        await screen.press("escape")
        await screen.until(lambda: isinstance(screen.app.screen, CatalogueScreen))


async def test_help_lists_the_keys_of_the_screen_and_of_its_panels(house: House) -> None:
    async with opened(house).run_test(size=(100, 60)) as pilot:
        screen = await begun(pilot)
        await screen.press("question_mark")
        await screen.until(lambda: isinstance(screen.app.screen, Help))
        await screen.until_shown("Delete everything, and prove it")
        assert "Go to a panel by its number" in screen.shown
        assert "letter or number" in screen.shown
        await screen.press("escape")
        await screen.until_screen("LabScreen")


async def test_the_list_of_actions_narrows_as_one_types(house: House) -> None:
    async with opened(house).run_test(size=(80, 40)) as pilot:
        screen = await begun(pilot)
        await screen.press("a")
        await screen.until_shown("Put files into the bucket.")
        assert "redrive" in screen.shown
        await screen.press(*"pur")
        await screen.until(lambda: "redrive" not in screen.shown)
        await screen.press("enter")
        await screen.until_shown("purge which queue?")
        await screen.press("enter")
        await screen.until_shown("Delete every message of inbox?")
        await screen.press("n")
        await screen.until_screen("LabScreen")
        assert screen.lab.operations == []


async def test_redrive_and_down_ask_first(house: House) -> None:
    async with opened(house).run_test(size=(80, 30)) as pilot:
        screen = await begun(pilot)
        for name, says in (("redrive", "dead -> inbox"), ("down", "Delete everything of first?")):
            await screen.press("a", *name, "enter")
            await screen.until_shown(says)
            await screen.press("escape")
            await screen.until_screen("LabScreen")
        await screen.press("d")
        await screen.until_shown("Delete everything of first?")
        await screen.press("enter")  # the button under the finger is the harmless one
        await screen.until_screen("LabScreen")
        assert screen.lab.operations == []


async def test_what_needs_a_lab_that_is_up_says_so_with_its_hint(house: House) -> None:
    async with opened(house).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        await screen.press("c")
        await screen.until_told("'first' is not up on local")
        assert any("labctl up" in note for note in screen.told)


async def test_scale_asks_for_a_number_within_the_bounds(house: House) -> None:
    async with opened(house).run_test(size=(80, 30)) as pilot:
        screen = await begun(pilot)
        await screen.press("a", *"scale", "enter")
        await screen.until_shown("scale worker")
        await screen.press("home", "shift+end", "9", "enter")
        await screen.until_shown("more than the most, 4")
        await screen.press("escape")
        await screen.until_screen("LabScreen")


async def test_a_form_of_the_labs_own_wants_its_words(house: House) -> None:
    async with opened(house).run_test(size=(80, 30)) as pilot:
        screen = await begun(pilot)
        await screen.press("a", *"upload", "enter")
        await screen.until_shown("Files of this machine.")
        await screen.press("enter")
        await screen.until_shown("at least one file")
        await screen.press("'", "x", "enter")
        await screen.until_shown("No closing quotation")


async def test_one_change_at_a_time_and_s_stops_it(house: House) -> None:
    async with opened(house).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        began = threading.Event()

        def work(session: object, cancelled: threading.Event) -> None:
            began.set()
            cancelled.wait(30)
            raise CredentialsError("[bold]expired\x1b[31m", "save new [keys]")

        screen.lab.actions.begin("up", work)
        await screen.until(began.is_set)
        await screen.until_shown("up...")
        await screen.until_shown("s Stop")
        screen.lab.actions.do("run")
        await screen.until_told("up still runs")
        await screen.press("s")
        await screen.until_told("up: [bold]expired")
        assert not any("\x1b" in note for note in screen.told)
        await screen.until(lambda: screen.lab.operations == [])
        await screen.until_shown("u Up")


async def test_a_thread_asks_on_the_screen(house: House) -> None:
    async with opened(house).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        ask = screen.app.operations.ask
        answers: list[bool] = []
        for key in ("y", "n"):
            screen.lab.actions.begin(
                "up", lambda session, stop: answers.append(ask("Do it on AWS?", ["a queue"], stop))
            )
            await screen.until_shown("Do it on AWS?")
            assert "a queue" in screen.shown
            await screen.press(key)
            await screen.until(lambda: screen.lab.operations == [])
        assert answers == [True, False]


async def test_a_question_that_nobody_answers_ends_with_its_operation(house: House) -> None:
    async with opened(house).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        ask = screen.app.operations.ask
        answers: list[bool] = []
        screen.lab.actions.begin(
            "up", lambda session, stop: answers.append(ask("Do it?", [], stop))
        )
        await screen.until(lambda: isinstance(screen.app.screen, Confirm))
        screen.lab.actions.stop()
        await screen.until(lambda: answers == [False])


async def test_quit_is_immediate_and_asks_while_something_is_brought_up(house: House) -> None:
    app = opened(house)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        screen.lab.actions.begin("up", lambda session, stop: stop.wait(30))
        await screen.press("q")
        await screen.until_shown("Stop this and quit?")
        assert "up first" in screen.shown
        await screen.press("n")
        await screen.until_screen("LabScreen")
        await screen.press("q")
        await screen.until_shown("Stop this and quit?")
        await screen.press("y")
        await screen.until(lambda: app.return_value is not None)
    assert "up was stopped" in str(app.return_value)


async def test_quit_says_what_is_still_up(house: House) -> None:
    file = house.add_lab("first")
    house.add_session("first", file)
    app = LabctlApp(house.choices)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
    assert app.return_value == "still up: first; next: labctl status or: labctl"


async def test_a_lost_endpoint_is_told_and_the_screen_goes_on(house: House) -> None:
    file = house.add_lab("first")
    house.add_session("first@127.0.0.1-9", file)
    async with LabctlApp(house.choices, lab="first").run_test(size=(40, 20)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("! ")
        assert NOWHERE.removeprefix("http://") in screen.shown.replace("\n", "")
        await screen.press("2")
        assert screen.lab.panel is screen.lab.panels[1]


async def test_watching_starts_no_local_cloud_that_is_stopped(house: House) -> None:
    file = house.add_lab("first")
    house.add_session("first", file, target="local")
    async with LabctlApp(house.choices, lab="first").run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("! the local cloud is stopped")
    assert not (house.state / "cloud").exists()


async def test_an_up_that_was_killed_is_told_with_the_way_on(house: House) -> None:
    file = house.add_lab("first")
    killed = (e.PhaseStarted(phase="provision"),)
    with session_lock(private_folder(session_folder(house.state, "first").path)):
        house.add_session("first", file, *killed, target="local")
        app = LabctlApp(house.choices, lab="first")
        async with app.run_test(size=(80, 24)) as pilot:
            await (await begun(pilot)).until_shown("first: starting  provision...")
    async with LabctlApp(house.choices, lab="first").run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        await screen.until_shown("first: stopped in the middle")
        await screen.until(lambda: "provision..." not in screen.shown)


def test_what_was_left_goes_on_with_the_next_event() -> None:
    view = SessionView()
    assert not view.leave()
    view.fold(1.0, e.PhaseStarted(phase="machines"))
    assert view.leave()
    assert (view.state, view.phase, view.left_in) == ("stopped", "", "machines")
    assert "u goes on, d takes it down" in trouble_line("", view)
    view.fold(2.0, e.PhaseStarted(phase="provision"))
    assert (view.state, view.phase, view.left_in) == ("starting", "provision", "")


async def test_where_no_shell_can_be_shown_its_command_is_named(house: House) -> None:
    file = house.add_lab("first")
    ready = e.MachineReady(machine="worker.0", id="i-1", address="127.0.0.9", port=22, seconds=1.0)
    house.add_session("first@127.0.0.1-9", file, ready)
    async with LabctlApp(house.choices, lab="first").run_test(size=(100, 24)) as pilot:
        screen = await begun(pilot)
        panels = [panel.heading for panel in screen.lab.panels]
        await screen.press(str(panels.index("Machines") + 1))
        await screen.until_shown("t Shell")
        await screen.until_shown("worker.0")
        await screen.press("t")
        await screen.until_told("in a terminal: labctl ssh")
        assert any("worker.0" in note for note in screen.told)


async def test_what_an_action_gives_is_shown_as_it_comes(house: House) -> None:
    async with opened(house).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        go_on = threading.Event()

        def work(session: object) -> Iterator[Fact]:
            yield Fact(True, "the first answer", {})
            go_on.wait(30)
            yield Fact(False, "the second answer", {})

        screen.lab.actions._begin_showing("send", work)
        await screen.until_shown("the first answer")
        assert "send: 1 so far" in screen.shown
        go_on.set()
        await screen.until_shown("FAILED  the second answer")
        await screen.until_shown("send: 2 in all, 1 of them failed")


async def test_closing_what_goes_on_stops_nothing_and_the_end_is_told(house: House) -> None:
    async with opened(house).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        go_on = threading.Event()

        def work(session: object) -> Iterator[Fact]:
            go_on.wait(30)
            yield Fact(True, "late", {})

        screen.lab.actions._begin_showing("send", work)
        await screen.until_shown("send: 0 so far")
        await screen.press("escape")
        await screen.until_screen("LabScreen")
        go_on.set()
        await screen.until_told("send: 1 in all")


async def test_export_writes_what_is_shown(house: House) -> None:
    async with opened(house).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        await screen.press("a", *"export", "enter")
        await screen.until_told("written: ")
        (picture,) = Path.cwd().glob("labctl-first-*.svg")
        assert "<svg" in picture.read_text(encoding="utf-8")


async def test_a_crash_is_one_line_and_a_private_log_without_locals(house: House) -> None:
    app = opened(house)

    def broken(result: object) -> None:
        password = "local-secret"  # noqa: S105 - what must not be written
        raise ValueError(f"broken {len(password)} AKIAABCDEFGHIJKLMNOP")

    async def break_it() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            screen = await begun(pilot)
            screen.lab.actions.begin("look", lambda session, stop: None, broken)
            await screen.until(lambda: app.return_code == 1)

    with pytest.raises(ValueError, match="broken"):
        await break_it()
    (log,) = (house.state / "crashes").iterdir()
    text = log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    assert "ValueError" in text
    assert "AKIA" not in text
    assert "local-secret'" not in text


async def test_the_palette_reaches_panels_and_actions_by_name(house: House) -> None:
    async with opened(house).run_test(size=(80, 24)) as pilot:
        screen = await begun(pilot)
        await screen.press("ctrl+p")
        await screen.until_screen("CommandPalette")
        await screen.press(*"panel: log")
        await screen.until_one_command()
        await screen.press("enter")
        await screen.until(lambda: screen.lab.panel.heading == "Log")


async def test_the_last_of_an_odd_number_of_panels_takes_its_row(house: House) -> None:
    house.add_lab("first")
    file = house.folder / "first" / "lab.yaml"
    file.write_text(f"{file.read_text()}panels: [resources, queues, log]\n")
    async with LabctlApp(house.choices, lab="first").run_test(size=(200, 50)) as pilot:
        screen = await begun(pilot)
        first, _, last = screen.lab.panels
        await screen.until(lambda: last.size.width > first.size.width * 2)


async def test_what_stays_anyway_is_not_looked_over_for_garbage(house: House) -> None:
    """A whole look takes longer than a key may wait."""
    house.add_lab("first")
    async with LabctlApp(house.choices, lab="first").run_test() as pilot:
        screen = await begun(pilot)
        await screen.until(lambda: gc.get_freeze_count() > 50_000)
    assert gc.get_freeze_count() == 0
