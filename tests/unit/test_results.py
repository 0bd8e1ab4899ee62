"""The results store: exactly one result a job, across threads, processes and kills."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import LabctlError
from labctl.ledger.results import Counts, DeadLetter, JobResult, ResultsStore


def a_result(job_id: str, **changes: str | int) -> JobResult:
    facts = {"state": "done", "answer": "4", "worker": "w", "attempt": 1, "worked_ms": 2, **changes}
    return JobResult(job_id=job_id, **facts)  # type: ignore[arg-type]  # of the right types here


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResultsStore]:
    with ResultsStore(tmp_path / "session" / "results.sqlite3") as opened:
        yield opened


def begun(store: ResultsStore, *job_ids: str) -> int:
    run = store.begin_run("numbers", purpose="run", jobs=len(job_ids), seed=1).number
    store.submit(run, dict.fromkeys(job_ids, "1,2"))
    return run


def test_a_result_is_recorded_once(store: ResultsStore) -> None:
    begun(store, "a")
    assert store.record(a_result("a")) is True
    assert store.record(a_result("a")) is False
    assert store.record(a_result("stranger")) is False
    assert len(store.find()) == 1


def test_what_comes_again_is_told_from_a_second_result(store: ResultsStore) -> None:
    run = begun(store, "a", "b")
    arrived = [a_result("a"), a_result("a"), a_result("a", worker="other"), a_result("x")]
    assert store.record_all(arrived) == ["new", "repeated", "duplicated", "unknown"]
    counts = store.counts(run)
    assert (counts.done, counts.repeated, counts.duplicated) == (1, 1, 1)
    assert store.find(job_id="a")[0].result.worker == "w"


def test_jobs_are_counted_by_what_became_of_them(store: ResultsStore) -> None:
    run = begun(store, "a", "b", "c", "d", "e")
    store.record_all([a_result("a"), a_result("b", state="failed", answer="Wrong input")])
    store.bury(
        [DeadLetter("m1", "c", "killed its worker", "1,2"), DeadLetter("m2", None, "r", "x")]
    )
    assert store.counts(run) == Counts(submitted=5, done=1, failed=1, dead=1, waiting=2)
    assert store.unanswered(run) == ["d", "e"]
    assert store.without_result(run) == [
        ("c", "1,2", True),
        ("d", "1,2", False),
        ("e", "1,2", False),
    ]
    store.end_run(run)
    assert store.counts(run) == Counts(submitted=5, done=1, failed=1, dead=1, lost=2)
    store.record(a_result("d"))
    assert store.counts(run) == Counts(submitted=5, done=2, failed=1, dead=1, lost=1)


def test_a_dead_letter_that_is_answered_after_all_is_dead_no_more(store: ResultsStore) -> None:
    run = begun(store, "a")
    letter = DeadLetter("m1", "a", "killed its worker", "1,2")
    store.bury([letter, letter])
    assert store.dead_letters() == [letter]
    assert store.settled(["a", "b"]) == {"a"}
    store.record(a_result("a"))
    assert store.dead_letters() == []
    assert store.counts(run) == Counts(submitted=1, done=1)


def test_a_job_with_two_dead_letters_is_one_dead_job(store: ResultsStore) -> None:
    run = begun(store, "a", "b")
    store.bury([DeadLetter(f"m{number}", "a", "killed its worker", "1,2") for number in (1, 2)])
    assert store.counts(run) == Counts(submitted=2, dead=1, waiting=1)
    store.end_run(run)
    assert store.counts(run) == Counts(submitted=2, dead=1, lost=1)
    assert len(store.dead_letters()) == 2


def test_a_run_that_never_ended_is_taken_up_again(store: ResultsStore) -> None:
    first = store.begin_run("numbers", purpose="run", jobs=10, seed=1)
    sent = store.begin_run("numbers", purpose="send", jobs=10, seed=1)
    again = store.begin_run("numbers", purpose="run", jobs=10, seed=1)
    other = store.begin_run("numbers", purpose="run", jobs=11, seed=1)
    assert (again.number, again.mark, again.resumed) == (first.number, first.mark, True)
    assert not other.resumed
    assert len({first.number, sent.number, other.number}) == 3
    assert store.last_run() == other.number
    store.end_run(first.number)
    assert not store.begin_run("numbers", purpose="run", jobs=10, seed=1).resumed


def test_runs_are_counted_apart(store: ResultsStore) -> None:
    first = begun(store, "a")
    store.record(a_result("a"))
    store.end_run(first)
    second = begun(store, "b")
    assert store.counts(first) == Counts(submitted=1, done=1)
    assert store.counts(second) == Counts(submitted=1, waiting=1)
    assert store.counts() == Counts(submitted=2, done=1, waiting=1)


def test_results_are_found_by_state_text_and_run(store: ResultsStore) -> None:
    run = begun(store, *(f"job-{number}" for number in range(20)))
    for number in range(20):
        state = "failed" if number % 5 == 0 else "done"
        store.record(a_result(f"job-{number}", state=state, answer=f"50% of _{number}_"))
    assert [job.result.job_id for job in store.find(limit=2)] == ["job-19", "job-18"]
    assert len(store.find(state="failed")) == 4
    assert [job.result.job_id for job in store.find(text="_7_")] == ["job-7"]
    assert [job.result.job_id for job in store.find(text="job-12")] == ["job-12"]
    assert store.find(text="%5") == []
    assert store.find(run=run + 1) == []
    assert store.find(job_id="job-3")[0].result.answer == "50% of _3_"


def test_results_are_followed_in_the_order_of_recording(store: ResultsStore) -> None:
    run = begun(store, "a", "b", "c")
    store.record_all([a_result("c"), a_result("a")])
    page = store.since(run, 0, limit=1)
    assert [job.result.job_id for job in page] == ["c"]
    store.record(a_result("b"))
    assert [job.result.job_id for job in store.since(run, page[-1].seq)] == ["a", "b"]


@given(st.lists(st.floats(0, 1e6), max_size=80))
def test_percentiles_are_of_the_nearest_rank(latencies: list[float]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder, ResultsStore(Path(folder) / "r" / "x") as store:
        run = begun(store, *(str(number) for number in range(len(latencies))))
        before = time.time()
        for number in range(len(latencies)):
            store.record(a_result(str(number)))
        took_ms = (time.time() - before) * 1000 + 1000
        found = store.latency_ms(run, (0, 50, 95, 100))
        assert list(found) == ["p0", "p50", "p95", "p100"]
        assert 0 <= found["p0"] <= found["p50"] <= found["p95"] <= found["p100"] <= took_ms


def test_the_files_are_the_owners_alone(store: ResultsStore, tmp_path: Path) -> None:
    begun(store, "a")
    folder = tmp_path / "session"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == {0o600}


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "results.sqlite3"
    file.write_text("not a database at all, but long enough to be read as one" * 10)
    with pytest.raises(LabctlError, match="cannot be read"):
        ResultsStore(file)


def test_threads_and_stores_record_each_job_once(tmp_path: Path) -> None:
    path = tmp_path / "r" / "results.sqlite3"
    jobs = [f"job-{number:03}" for number in range(200)]
    with ResultsStore(path) as one, ResultsStore(path) as two:
        run = begun(one, *jobs)

        def record(index: int) -> int:
            store = (one, two)[index % 2]
            return sum(store.record(a_result(job)) for job in jobs)

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(record, range(6))) == 200
        counts = two.counts(run)
        assert (counts.done, counts.repeated, counts.duplicated) == (200, 1000, 0)


RECORDS_AND_DIES = """
import os, signal, sys
from pathlib import Path
from labctl.ledger.results import JobResult, ResultsStore
store = ResultsStore(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 10**6):
    new = store.record(JobResult(f"job-{number:06}", "done", "x" * 200, "w", 1, 1))
    print(number if new else -1, flush=True)
"""


def test_what_was_recorded_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "r" / "results.sqlite3"
    with ResultsStore(path) as store:
        run = begun(store, *(f"job-{number:06}" for number in range(5000)))
    acknowledged = 0
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", RECORDS_AND_DIES, str(path), str(acknowledged)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                acknowledged = max(acknowledged, int(line) + 1)
                if acknowledged % 50 == 49:
                    process.send_signal(signal.SIGKILL)
        process.wait()
    with ResultsStore(path) as store:
        done = store.counts(run).done
        assert done >= acknowledged > 100
        assert len(store.find(limit=10**6)) == done
        assert store.unanswered(run) == [f"job-{number:06}" for number in range(done, 5000)]


def test_a_hundred_thousand_results_stay_small_and_quick(
    store: ResultsStore, tmp_path: Path
) -> None:
    run = store.begin_run("numbers", purpose="run", jobs=100_000, seed=1).number
    answer = "The list minimum is : -98 \n" * 4
    for start in range(0, 100_000, 5000):
        jobs = [f"k3v9-0123abcd-{number:06}" for number in range(start, start + 5000)]
        store.submit(run, dict.fromkeys(jobs, "1,2,3"))
        store.record_all([a_result(job, answer=answer) for job in jobs])
    size = sum(file.stat().st_size for file in (tmp_path / "session").iterdir())
    assert size < 300e6
    times = []
    for number in range(0, 100_000, 5000):
        began = time.perf_counter()
        assert len(store.find(job_id=f"k3v9-0123abcd-{number:06}")) == 1
        times.append(time.perf_counter() - began)
    assert sorted(times)[len(times) // 2] < 0.010
