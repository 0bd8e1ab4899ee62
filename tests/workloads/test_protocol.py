"""The protocol of jobs as a state machine: whoever dies wherever, no job is lost and none doubled.

The same machine with an unsafe order of steps must be caught: a proof that can fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from labctl.ledger.results import JobResult, ResultsStore
from tests.workloads.protocol import AS_BUILT, RECEIVES, Cloud, Collector, Sender, Step, Worker

JOBS = ("job-1", "job-2", "bad-3", "poison-4")
ANY = st.integers(0, 7)
WORKER = st.integers(0, 1)
_ENOUGH_STEPS = 2000


class Lost(AssertionError):
    """At the end a submitted job had neither a result nor a dead letter."""


class Doubled(AssertionError):
    """A job got two different results."""


class Jobs(RuleBasedStateMachine):
    """Two workers, a collector and a sender; a rule is one step, a death, or the queue's whim."""

    order: Sequence[Step] = AS_BUILT

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.results = ResultsStore(Path(self.folder.name) / "session" / "results.sqlite3")
        self.run = self.results.begin_run("model", purpose="run", jobs=len(JOBS), seed=1).number
        self.cloud = Cloud()
        self.workers = [Worker(f"w{index}", self.cloud, self.order) for index in range(2)]
        self.collector = Collector(self.cloud, self.results)
        self.sender = Sender(self.cloud, self.results, self.run, JOBS)

    @rule(worker=WORKER, index=ANY)
    def worker_steps(self, worker: int, index: int) -> None:
        self.workers[worker].take_step(index)

    @rule(worker=WORKER, steps=st.integers(0, 6), index=ANY)
    def worker_dies(self, worker: int, steps: int, index: int) -> None:
        for _ in range(steps):
            self.workers[worker].take_step(index)
        self.workers[worker].crash()

    @rule(index=ANY)
    def collector_steps(self, index: int) -> None:
        self.collector.take_step(index)

    @rule()
    def collector_dies(self) -> None:
        self.collector.crash()

    @rule()
    def sender_steps(self) -> None:
        self.sender.take_step()

    @rule(steps=st.integers(0, 2 * len(JOBS)))
    def sender_dies(self, steps: int) -> None:
        for _ in range(steps):
            self.sender.take_step()
        self.sender.crash()

    @rule(index=ANY)
    def request_comes_again(self, index: int) -> None:
        self.cloud.requests.show(index)

    @rule(index=ANY)
    def answer_comes_again(self, index: int) -> None:
        self.cloud.answers.show(index)

    @invariant()
    def no_job_has_two_results(self) -> None:
        counts = self.results.counts(self.run)
        if counts.duplicated:
            raise Doubled(f"{counts.duplicated} answers differ from what is recorded")
        assert len({result.job_id for result in self.recorded()}) == len(self.recorded())

    def recorded(self) -> list[JobResult]:
        return [job.result for job in self.results.find(run=self.run)]

    def teardown(self) -> None:
        if not hasattr(self, "results"):
            return
        try:
            self._come_to_rest()
            self.collector.settle(self.run)
            self.results.end_run(self.run)
            self.no_job_has_two_results()
            for result in self.recorded():
                assert self.cloud.table.get(result.job_id, result) == result
            counts = self.results.counts(self.run)
            assert counts.submitted == len(JOBS)
            if counts.done + counts.failed + counts.dead != counts.submitted:
                raise Lost(f"{counts}")
        finally:
            self.results.close()
            self.folder.cleanup()

    def _come_to_rest(self) -> None:
        """Let everything go on without deaths until nothing is on its way."""
        for _ in range(_ENOUGH_STEPS):
            if (
                self.sender.has_ended
                and not self.cloud.requests.messages + self.cloud.answers.messages
            ):
                return
            self.sender.take_step()
            for worker in self.workers:
                worker.take_step(0)
            self.collector.take_step(0)
            if not any(worker.is_at_work for worker in self.workers):
                self.cloud.requests.show(0)
            self.cloud.answers.show(0)
        raise AssertionError("it does not come to rest")


def machine(*order: Step) -> type[Jobs]:
    """Return the machine whose workers take these steps."""
    return type("JobsInOrder", (Jobs,), {"order": order})


def explored(examples: int, *, shrink: bool = True) -> settings:
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    return settings(
        derandomize=not shrink,  # that a fault is found must not hang on luck
        max_examples=examples,
        stateful_step_count=60,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )


def test_no_job_is_lost_or_doubled_whoever_dies_wherever() -> None:
    run_state_machine_as_test(machine(*AS_BUILT), settings=explored(150))


@pytest.mark.parametrize(
    ("order", "harm"),
    [
        pytest.param(("delete", "look up", "work", "store", "answer"), Lost, id="delete-first"),
        pytest.param(
            ("look up", "work", "delete", "store", "answer"), Lost, id="delete-before-store"
        ),
        pytest.param(("look up", "work", "answer", "store", "delete"), Doubled, id="answer-first"),
        pytest.param(
            ("look up", "work", "store blindly", "answer", "delete"), Doubled, id="no-condition"
        ),
        pytest.param(("work", "answer", "delete"), Doubled, id="no-table"),
    ],
)
def test_an_unsafe_order_is_found_out(order: Sequence[Step], harm: type[AssertionError]) -> None:
    with pytest.raises(harm):
        run_state_machine_as_test(machine(*order), settings=explored(2000, shrink=False))


def test_deliveries_in_the_model_are_as_many_as_in_the_lab() -> None:
    lab = (Path(__file__).parents[2] / "labs/numbers/lab.yaml").read_text()
    assert f"dead_letter: {{to: dead, after: {RECEIVES}}}" in lab
