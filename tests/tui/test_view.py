"""Whatever the events and their order, what they add up to is consistent, bounded and drawable."""

from __future__ import annotations

import json
import typing
from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labctl import events as e
from labctl.telling import figure_lines, proof_lines
from labctl.tui import view as view_module
from labctl.tui.parsing import parsed
from labctl.tui.view import LabState, SessionView
from tests.tui.events_strategy import KINDS, any_event, any_history, json_values, of_kind

ALLOWED_STATES = typing.get_args(LabState)
NAMED = ("resources", "queues", "machines", "checks")


def folded(history: list[tuple[float, e.Event]]) -> SessionView:
    view = SessionView()
    for at, event in history:
        view.fold(at, event)
    return view


def job(number: int, state: str = "done") -> e.JobFinished:
    return e.JobFinished(
        job_id=f"j{number}",
        body="{}",
        sent_at=0.0,
        state=state,
        worker="w",
        attempt=1,
        latency_ms=1.0,
        answer="",
    )


def assert_consistent(view: SessionView, history: list[tuple[float, e.Event]]) -> None:
    assert view.state in ALLOWED_STATES
    assert view.version == len(history)
    assert view.logged >= len(view.log)
    assert min(view.jobs.sent, view.jobs.total, view.jobs.done, view.jobs.failed) >= 0
    assert view.jobs.done + view.jobs.failed == finished_in_the_last_run(history)
    for name in NAMED:
        assert len(getattr(view, name)) <= len(history) * 4
    for key, resource in view.resources.items():
        assert resource.name == key
        assert resource.members >= 0
    for queue in view.queues.values():
        assert [sample.at for sample in queue.samples] == sorted(s.at for s in queue.samples)
        left = queue.empty_in_s()
        assert left is None or left >= 0
        assert min(queue.flow_per_s()) >= -1e-6
    assert view.jobs.per_s(max([at for at, _ in history], default=0.0)) >= 0
    for _, event in history:
        if isinstance(event, e.RunFinished):
            assert isinstance(figure_lines(event), list)
        if isinstance(event, e.TeardownProved):
            assert proof_lines(event)


def finished_in_the_last_run(history: list[tuple[float, e.Event]]) -> int:
    count = 0
    for _, event in history:
        if isinstance(event, e.PhaseStarted) and event.phase == "jobs":
            count = 0
        count += isinstance(event, e.JobFinished)
    return count


@given(history=any_history)
def test_any_sequence_of_events_leaves_a_consistent_view(
    history: list[tuple[float, e.Event]],
) -> None:
    assert_consistent(folded(history), history)


@given(event=any_event, damage=st.data())
def test_a_damaged_record_is_passed_over_or_fits_its_event(
    event: e.Event, damage: st.DataObject
) -> None:
    record: dict[str, Any] = {"at": 1.0, **e.as_record(event)}
    broken = damage.draw(st.sampled_from(sorted(record)))
    record[broken] = damage.draw(json_values)
    read = list(parsed([json.dumps(record).encode()]))
    assert_consistent(folded(read), read)


@given(record=json_values)
def test_any_json_line_is_no_event_and_no_failure(record: object) -> None:
    assert list(parsed([json.dumps(record).encode()])) == []


@given(line=st.binary(max_size=200))
def test_any_bytes_are_no_event_and_no_failure(line: bytes) -> None:
    assert list(parsed([line])) == []


@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_every_kind_of_event_comes_back_from_its_line(
    data: st.DataObject, kind: type[e.Event]
) -> None:
    event = data.draw(of_kind(kind))
    line = json.dumps({"at": 5.0, **e.as_record(event)}).encode()
    ((at, read),) = parsed([line])
    assert at == 5.0
    assert type(read) is kind


def test_what_a_foreign_file_names_does_not_fill_memory() -> None:
    view = SessionView()
    for number in range(3000):
        name = f"n{number}"
        view.fold(1.0, e.StepStarted(step=name, action="create", resource=name, kind="sqs.queue"))
        view.fold(1.0, e.QueueSampled(queue=name, visible=1, in_flight=0, delayed=0))
        view.fold(1.0, e.AgentReady(agent=name, machine=name, changed=True, seconds=1.0))
        view.fold(1.0, e.AgentReady(agent=name, machine="m", changed=True, seconds=1.0))
        view.fold(1.0, e.CheckPassed(check=name, say=name))
    for name in NAMED:
        assert len(getattr(view, name)) <= view_module._NAMED_KEPT
    assert all(len(machine.agents) <= view_module._NAMED_KEPT for machine in view.machines.values())
    assert isinstance(view.log, deque)
    assert len(view.log) <= 5000


def test_a_line_of_the_log_is_short_whatever_the_event_says() -> None:
    view = SessionView()
    view.fold(
        1.0,
        e.StepFailed(
            step="s" * 5000, action="create", resource="r" * 5000, message="m" * 5000, hint=""
        ),
    )
    assert len(view.log[-1].text) < 2000


def test_a_new_jobs_phase_counts_from_nothing() -> None:
    view = folded([(1.0, job(1)), (2.0, e.PhaseStarted(phase="jobs")), (3.0, job(2, "failed"))])
    assert (view.jobs.done, view.jobs.failed) == (0, 1)


def test_a_sample_from_the_past_does_not_disturb_the_order() -> None:
    view = folded(
        [
            (at, e.QueueSampled(queue="q", visible=int(at), in_flight=0, delayed=0))
            for at in (5.0, 3.0, 6.0)
        ]
    )
    assert [sample.at for sample in view.queues["q"].samples] == [5.0, 6.0]


def test_a_fault_is_shown_from_when_it_began_until_it_ended() -> None:
    began = [
        e.FaultBegan(fault="stop", what="stop", machine=f"worker.{n}", id=f"i-{n}", until=until)
        for n, until in ((0, 130.0), (1, 0.0))
    ]
    once = e.FaultBegan(
        fault="kill", what="kill", machine="worker.2", id="i-2", until=0.0, once=True
    )
    view = folded([(100.0, event) for event in (*began, once)])
    assert view.faults.said(107.0) == "FAULT stop on worker.0 and 1 more, 23.0 s left"
    assert view.faults.said(131.0).endswith("its time is over")
    ended = e.FaultEnded(fault="stop", what="stop", machine="worker.0", id="i-0", seconds=30.0)
    view.fold(130.0, ended)
    assert view.faults.said(131.0) == "FAULT stop on worker.1"
    proved = e.TeardownProved(
        lab="", session="", ok=True, deleted=(), looked_for=(), left=(), seconds=1.0
    )
    view.fold(140.0, proved)
    assert view.faults.said(141.0) == ""
    assert [line.level for line in view.log][:3] == ["warning"] * 3
