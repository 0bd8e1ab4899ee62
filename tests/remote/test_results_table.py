"""One result for each job id, whoever stores it and however often."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from job_runtime.cloud import Cloud
from job_runtime.results_table import Result, ResultsTable
from tests.remote.aws import Server, new_road


def result(worker: str, answer: str = "4") -> Result:
    return Result("done", answer, worker, 1, 3)


@pytest.fixture
def table(cloud_of_each: tuple[Cloud, Server]) -> ResultsTable:
    cloud, server = cloud_of_each
    return ResultsTable(cloud, new_road(server).results)


def test_the_first_result_stays(table: ResultsTable) -> None:
    assert table.store({"a": result("one"), "b": result("one")}) == {
        "a": result("one"),
        "b": result("one"),
    }
    held = table.store({"b": result("two"), "c": result("two"), "a": result("two")})
    assert held == {"a": result("one"), "b": result("one"), "c": result("two")}
    assert table.stored(["a", "b", "c", "d", "a"]) == held


def test_failed_jobs_and_odd_texts_come_back_as_they_were(table: ResultsTable) -> None:
    odd = Result("failed", "\u20ac \U0001f4a9\n\t'\"{}", "w", 7, 0)
    table.store({"odd": odd})
    assert table.stored(["odd"]) == {"odd": odd}


def test_more_than_one_call_takes(table: ResultsTable) -> None:
    many = {f"job-{number:03}": result("one", str(number)) for number in range(230)}
    assert table.store(many) == many
    assert table.stored(many) == many


def test_long_answers_stay_below_the_limit_of_one_call(table: ResultsTable) -> None:
    long = {f"job-{number}": result("one", "x" * 255_000) for number in range(20)}
    assert table.store(long) == long


def test_of_workers_that_race_each_job_has_one_winner(
    ministack: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not on moto: its transactions are not atomic when threads race.
    for name, value in ministack.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    table = ResultsTable(Cloud(threading.Event()), new_road(ministack).results)
    jobs = [f"job-{number}" for number in range(25)]
    ready = threading.Barrier(6)

    def race(worker: str) -> dict[str, Result]:
        ready.wait()
        return table.store({job: result(worker) for job in jobs})

    with ThreadPoolExecutor(6) as pool:
        views = list(pool.map(race, "abcdef"))
    assert all(view == views[0] for view in views)
    assert table.stored(jobs) == views[0]
