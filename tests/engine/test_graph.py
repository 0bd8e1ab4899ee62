"""Steps run as soon as they may and not before; a failure or a cancel starts nothing more."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.graph import run_graph
from labctl.errors import Interrupted, TargetError
from labctl.plan.model import Step


def step(name: str, *after: str) -> Step:
    return Step(name, "create", name, "sqs.queue", name, "", frozenset(after))


class Work:
    """Notes which steps began and ended, in their order."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, done: Step) -> None:
        with self._lock:
            self.noted.append(f"+{done.id}")
        with self._lock:
            self.noted.append(f"-{done.id}")


@given(st.lists(st.sets(st.integers(0, 11)), max_size=12))
def test_no_step_begins_before_those_it_comes_after_have_ended(needs: list[set[int]]) -> None:
    steps = [
        step(str(index), *(str(need) for need in before if need < index))
        for index, before in enumerate(needs)
    ]
    work = Work()
    run_graph(steps, work, cancelled=threading.Event())
    assert sorted(work.noted) == sorted(f"{sign}{each.id}" for each in steps for sign in "+-")
    place = {note: index for index, note in enumerate(work.noted)}
    assert all(place[f"-{need}"] < place[f"+{each.id}"] for each in steps for need in each.after)


def test_steps_that_need_nothing_of_each_other_run_at_once() -> None:
    together = threading.Barrier(4, timeout=10)

    def meet(_: Step) -> None:
        together.wait()

    run_graph([step(name) for name in "abcd"], meet, cancelled=NEVER)


def test_after_a_failure_the_running_steps_end_and_no_other_starts() -> None:
    failed, ended = threading.Event(), []

    def work(done: Step) -> None:
        if done.id == "bad":
            failed.set()
            raise TargetError("no")
        assert failed.wait(10)
        ended.append(done.id)

    with pytest.raises(TargetError, match="no"):
        run_graph([step("slow"), step("bad"), step("next", "slow")], work, cancelled=NEVER)
    assert ended == ["slow"]


def test_after_a_cancel_the_running_steps_end_and_no_other_starts() -> None:
    cancelled, ended = threading.Event(), []

    def work(done: Step) -> None:
        cancelled.set()
        ended.append(done.id)

    with pytest.raises(Interrupted):
        run_graph([step("first"), step("second", "first")], work, cancelled=cancelled)
    assert ended == ["first"]


NEVER = threading.Event()
