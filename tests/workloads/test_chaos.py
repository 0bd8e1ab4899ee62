"""The job guarantee under a seeded storm: kills, poison, and a server that is restarted.

`LABCTL_CHAOS_SEED=17 pytest tests/workloads/test_chaos.py` replays the schedule of one seed; the
seed of a failure stands in the test's name.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from labctl.errors import TargetError
from labctl.ledger.results import JobResult, RecordedJob
from labctl.workloads.base import Request, WorkloadContext, WorkloadSummary
from labctl.workloads.queue_jobs import QueueJobs, Road
from numbers_worker.four_figures import four_lines
from tests.remote.client import Client
from tests.remote.waiting import eventually
from tests.workloads.chaos import JOBS, KILLS, POISON, POISONS, Crew, Endpoint, Schedule
from tests.workloads.session import session

SEED = int(os.environ.get("LABCTL_CHAOS_SEED", "1"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [SEED], ids=lambda seed: f"seed-{seed}")
@pytest.mark.parametrize("flavour", ["ministack", "moto"])
def test_results_and_dead_letters_are_what_was_submitted(
    flavour: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,000 jobs, 8 workers, 40 SIGKILLs, 5 poison messages, and one restart of the server.

    What a restart is on each server stands at `Endpoint`. On moto the run ends with an error,
    because its queues are gone, and is taken up again, as a person would; and since moto forgot
    its table, too, a job can be stored there a second time, or no more: only ministack's is
    compared with what was recorded.
    """
    schedule = Schedule.of(seed)
    with Endpoint(flavour, tmp_path) as endpoint:
        for name, value in endpoint.road.server.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        with session(endpoint.road, tmp_path / "state", deadline_s=400) as (context, _):
            summary, crew = run_harmed(context, schedule, endpoint, folder=tmp_path)
            letters = context.results.dead_letters(limit=JOBS)
            recorded = context.results.find(limit=JOBS)
        stored = Client(endpoint.road).results()
    assert (crew.killed, crew.restarted_at > 0) == (KILLS, True)
    assert crew.ended_alone >= POISONS  # a scheduled kill may come before a poison's own
    assert summary.done + summary.dead == summary.submitted == JOBS
    assert (summary.failed, summary.lost) == (0, 0)
    assert len({job.result.job_id for job in recorded}) == len(recorded) == summary.done
    for job in recorded:
        numbers = [int(word) for word in body_of(number_of(job)).split(",")]
        assert job.result.answer == four_lines(numbers)
    if flavour == "ministack":
        kept = {job_id: as_result(item) for job_id, item in stored.items()}
        assert {job.result.job_id: job.result for job in recorded}.items() <= kept.items()
        assert summary.duplicated == 0
    deadly = [letter for letter in letters if letter.body == POISON]
    assert {int((letter.job_id or "").rpartition("-")[2]) for letter in deadly} == schedule.poison
    assert all("workers took it 5 times" in letter.reason for letter in letters)
    # Some 70 deaths, each with up to 17 messages in hand, use up the deliveries of a few innocent
    # jobs as well: they are shown and can be sent back.
    assert len(letters) - len(deadly) < JOBS // 20


def run_harmed(
    context: WorkloadContext, schedule: Schedule, endpoint: Endpoint, *, folder: Path
) -> tuple[WorkloadSummary, Crew]:
    """Run the jobs while the schedule is carried out on the workers and the server."""
    crew = Crew(schedule, folder, endpoint)
    threads = [
        threading.Thread(target=crew.keep),
        threading.Thread(target=crew.harm, args=[lambda: context.results.counts().done]),
    ]
    for thread in threads:
        thread.start()
    try:
        return run_until_it_ends(context, schedule, crew), crew
    finally:
        crew.end()
        for thread in threads:
            thread.join(60)


def run_until_it_ends(context: WorkloadContext, schedule: Schedule, crew: Crew) -> WorkloadSummary:
    """Run the jobs, and again when the queues were gone for a moment."""

    def request(number: int) -> Request:
        return Request(POISON if number in schedule.poison else body_of(number))

    road = Road("requests", "responses", "results", "dead")
    try:
        return QueueJobs(context, road).run("storm", jobs=JOBS, seed=1, request=request)
    except TargetError:
        eventually(lambda: crew.restarted_at, "the server is there again", 60)
        return QueueJobs(context, road).run("storm", jobs=JOBS, seed=1, request=request)


def body_of(number: int) -> str:
    return f"{number},{number * 3},-7"


def number_of(job: RecordedJob) -> int:
    return int(job.result.job_id.rpartition("-")[2])


def as_result(item: dict[str, str]) -> JobResult:
    return JobResult(
        job_id=item["id"],
        state="done" if item["state"] == "done" else "failed",
        answer=item["answer"],
        worker=item["worker"],
        attempt=int(item["attempt"]),
        worked_ms=int(item["worked_ms"]),
    )
