"""The jobs panel over real result stores: filters, pages, details, strangers' texts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.engine.choices import Choices
from labctl.ledger.results import DeadLetter, JobResult, ResultsStore
from labctl.session import Session
from labctl.tui.job_window import PAGE
from labctl.tui.keyed_table import KeyedTable
from labctl.tui.panels.jobs import JobsPanel
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


@pytest.fixture
def results_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LABCTL_STATE", str(tmp_path))
    lab = lab_named("numbers")
    return Session(str(lab.path), Choices()).folder.results_file


@pytest.fixture
def store(results_file: Path) -> Iterator[ResultsStore]:
    with ResultsStore(results_file) as opened:
        yield opened


def app() -> PanelApp:
    return PanelApp(JobsPanel(), lab_named("numbers"))


def answered(store: ResultsStore, jobs: int, *, answer: str = "answer") -> None:
    run = store.begin_run("numbers", purpose="run", jobs=jobs, seed=1)
    ids = [f"session-{run.mark}-{number:06}" for number in range(jobs)]
    store.submit(run.number, {job_id: f"body {job_id}" for job_id in ids})
    store.record_all(
        [
            JobResult(job_id, "failed" if number == 3 else "done", f"{answer} {number}", "w", 1, 2)
            for number, job_id in enumerate(ids)
        ]
    )


def rows(running: PanelApp) -> int:
    return running.host.query_one(KeyedTable).row_count


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_without_results_it_says_what_to_do_and_makes_no_file(
    results_file: Path, size: tuple[int, int]
) -> None:
    async with app().run_test(size=size) as pilot:
        await until_seen(pilot, "No job was sent yet: r runs the lab's jobs.")
    assert not results_file.exists()
    assert not results_file.parent.exists()


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_jobs_appear_while_they_are_answered(
    store: ResultsStore, size: tuple[int, int]
) -> None:
    async with app().run_test(size=size) as pilot:
        answered(store, 5)
        await until_seen(pilot, "5 sent, 4 done, 1 failed", "answer 4")
        answered(store, 7, answer="later")
        await until_seen(pilot, "12 sent", "later 6")


async def test_f_shows_one_state_after_the_other(store: ResultsStore) -> None:
    running = app()
    async with running.run_test(size=SMALL) as pilot:
        answered(store, 5)
        store.bury([DeadLetter("m1", None, "killed its worker", "poison")])
        await until(pilot, lambda: rows(running) == 6)
        for shown, count in (("done", 4), ("failed", 1), ("dead", 1), ("waiting", 0)):
            await pilot.press("f")
            await until(pilot, lambda count=count: rows(running) == count)  # type: ignore[misc]
            await until_seen(pilot, f" {shown} ")
        await until_seen(pilot, "None of them to show here: f shows others.")
        await pilot.press("f")
        await until(pilot, lambda: rows(running) == 6)


async def test_a_text_narrows_the_list_and_nothing_widens_it_again(store: ResultsStore) -> None:
    running = app()
    async with running.run_test(size=SMALL) as pilot:
        answered(store, 12)
        await until(pilot, lambda: rows(running) == 12)
        await pilot.press("slash", *"answer 1", "enter")
        await until(pilot, lambda: rows(running) == 3)
        await until_seen(pilot, "with 'answer 1'")
        await pilot.press("slash", *["backspace"] * 8, "enter")
        await until(pilot, lambda: rows(running) == 12)


async def test_older_jobs_are_a_page_away(store: ResultsStore) -> None:
    running = app()
    async with running.run_test(size=SMALL) as pilot:
        answered(store, PAGE + 20)
        await until(pilot, lambda: rows(running) == PAGE)
        await until_seen(pilot, "n shows older")
        await pilot.press("p", "n")
        await until(pilot, lambda: rows(running) == 20)
        await until_seen(pilot, "page 2", "answer 19")
        await pilot.press("n", "p")
        await until(pilot, lambda: rows(running) == PAGE)


async def test_the_job_under_the_cursor_stays_there_while_others_come(store: ResultsStore) -> None:
    running = app()
    async with running.run_test(size=SMALL) as pilot:
        answered(store, 10)
        await until(pilot, lambda: rows(running) == 10)
        table = running.host.query_one(KeyedTable)
        await pilot.press("down", "down")
        chosen = table.chosen
        answered(store, 11, answer="later")
        await until(pilot, lambda: rows(running) == 21)
        assert table.chosen == chosen
        answered(store, PAGE + 1, answer="many")
        await until_seen(pilot, "Held while you read")
        assert table.chosen == chosen
        await pilot.press("ctrl+home")
        await until(pilot, lambda: rows(running) == PAGE)
        await until_seen(pilot, f"many {PAGE}")


async def test_enter_shows_all_of_a_job_and_escape_the_list_again(store: ResultsStore) -> None:
    running = app()
    async with running.run_test(size=SMALL) as pilot:
        answered(store, 2)
        await until(pilot, lambda: rows(running) == 2)
        await pilot.press("enter")
        await until_seen(pilot, "body session-", "answer 1", "w worked on it for 2 ms, attempt 1")
        await pilot.press("escape")
        await until(pilot, lambda: running.screen is running.host)


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_strangers_text_is_only_text(store: ResultsStore, text: str) -> None:
    running = app()
    run = store.begin_run("numbers", purpose="run", jobs=1, seed=1).number
    safe = text.encode("utf-8", "replace").decode()  # no half characters get into a store
    store.submit(run, {safe[:80]: safe})
    store.record_all([JobResult(safe[:80], "done", safe, safe[:3000], 1, 2)])
    store.bury([DeadLetter("m1", None, safe, safe)])
    async with running.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: rows(running) == 2)
        assert_harmless(running.seen())
        for _ in range(2):
            await pilot.press("enter")
            await until_seen(pilot, "what happened")
            assert_harmless(running.seen())
            await pilot.press("escape", "down")


async def test_a_store_that_cannot_be_read_is_told(results_file: Path) -> None:
    results_file.parent.mkdir(parents=True)
    results_file.write_bytes(b"no database" * 1000)
    async with app().run_test(size=SMALL) as pilot:
        await until_seen(pilot, "cannot be read")


async def test_a_hundred_thousand_jobs_slow_no_key(store: ResultsStore) -> None:
    answered(store, 100_000)
    running = app()
    async with running.run_test(size=LARGE) as pilot:
        await until_seen(pilot, "100,000 sent", deadline_s=60)
        table = running.host.query_one(KeyedTable)
        took = []
        for number in range(20):
            began = time.monotonic()
            await pilot.press("down")
            assert table.cursor_row == number + 1
            took.append(time.monotonic() - began)
        # A press waits for the app to be idle: its own cost without jobs is some 30 ms.
        assert sorted(took)[len(took) // 2] < 0.5
