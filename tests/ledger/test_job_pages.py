"""Pages of jobs: each job on one page, the newest first, and the hundredth page as fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labctl.ledger.job_pages import JobFilter, ListedJob
from labctl.ledger.results import DeadLetter, JobResult, ResultsStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResultsStore]:
    with ResultsStore(tmp_path / "results.sqlite3") as opened:
        yield opened


def filled(store: ResultsStore, jobs: int) -> int:
    """Answer all but the last three jobs, every tenth as failed; the second last died."""
    run = store.begin_run("numbers", purpose="run", jobs=jobs, seed=1).number
    ids = [f"job-{number:06}" for number in range(jobs)]
    store.submit(run, {job_id: f"body of {job_id}" for job_id in ids})
    store.record_all(
        [
            JobResult(job_id, "done" if number % 10 else "failed", f"answer {number}", "w0", 1, 2)
            for number, job_id in enumerate(ids[:-3])
        ]
    )
    store.bury([DeadLetter("m1", ids[-2], "killed its worker", "1,2")])
    store.bury([DeadLetter("m2", None, "no job of ours", "hello")])
    return run


def everything(
    store: ResultsStore, shown: JobFilter, *, text: str = "", limit: int
) -> list[ListedJob]:
    page = store.page(shown, text=text, limit=limit)
    found = list(page.jobs)
    while page.next is not None:
        page = store.page(shown, text=text, after=page.next, limit=limit)
        found += page.jobs
    return found


@pytest.mark.parametrize("limit", [1, 7, 500])
def test_every_job_is_on_one_page_of_its_kind(store: ResultsStore, limit: int) -> None:
    filled(store, 53)
    everyone = everything(store, "all", limit=limit)
    assert len(everyone) == len({job.key for job in everyone}) == 52
    assert [job.at for job in everyone] == sorted((job.at for job in everyone), reverse=True)
    assert len(everything(store, "failed", limit=limit)) == 5
    assert {job.state for job in everything(store, "done", limit=limit)} == {"done"}
    assert [job.key for job in everything(store, "dead", limit=limit)] == ["m2", "m1"]
    waiting = everything(store, "waiting", limit=limit)
    assert [(job.job_id, job.state) for job in waiting] == [
        ("job-000052", "waiting"),
        ("job-000050", "waiting"),
    ]


def test_a_text_is_looked_for_in_ids_answers_and_bodies(store: ResultsStore) -> None:
    filled(store, 30)
    assert [job.job_id for job in store.page(text="answer 17").jobs] == ["job-000017"]
    assert [job.job_id for job in store.page("waiting", text="000029").jobs] == ["job-000029"]
    assert [job.key for job in store.page("dead", text="hello").jobs] == ["m2"]
    assert store.page(text="%").jobs == ()


def test_the_details_tell_what_became_of_a_job(store: ResultsStore) -> None:
    run = filled(store, 20)
    done = store.details("job-000001")
    assert done is not None
    assert (done.state, done.body, done.answer) == ("done", "body of job-000001", "answer 1")
    assert done.sent_at is not None
    assert done.settled_at is not None
    assert done.sent_at <= done.settled_at
    dead = store.details("m1")
    assert dead is not None
    assert (dead.job_id, dead.state, dead.answer) == ("job-000018", "dead", "killed its worker")
    stranger = store.details("m2")
    assert stranger is not None
    assert (stranger.job_id, stranger.sent_at) == ("", None)
    waiting = store.details("job-000019")
    assert waiting is not None
    assert waiting.state == "waiting"
    store.end_run(run)
    lost = store.details("job-000019")
    assert lost is not None
    assert lost.state == "lost"
    assert store.details("nobody") is None


def test_the_last_of_a_hundred_thousand_costs_what_the_first_does(store: ResultsStore) -> None:
    filled(store, 100_000)
    first = store.page(limit=500)
    page = last = first
    while page.next is not None:
        last, page = page, store.page(after=page.next, limit=500)
    assert _best_of_three(lambda: store.page(after=last.next, limit=500)) < 0.1
    assert _best_of_three(lambda: store.page("waiting", limit=500)) < 1.0


def _best_of_three(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
