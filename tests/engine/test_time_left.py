"""A plan that does not fit the time that is left is refused, or with force only told."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import cast

import pytest

from labctl import events as e
from labctl.engine.bus import Bus
from labctl.engine.measuring import Measuring
from labctl.engine.time_left import End, ends_before, refuse_what_does_not_fit, warn_before_down
from labctl.errors import LimitError
from labctl.ledger.journal import Entry
from labctl.plan.expect import Estimate
from labctl.targets.base import Target
from tests.ledger.test_sessions import record


class Keys:
    """The part of a target that tells when its keys end."""

    def __init__(self, left_s: float | None) -> None:
        self._end = None if left_s is None else time.time() + left_s

    def credentials_end(self) -> float | None:
        return self._end


def target(left_s: float | None) -> Target:
    return cast(Target, Keys(left_s))


def told(events: list[e.Event]) -> Bus:
    return Bus(lambda at, event: events.append(event))


SOON = End("the credentials end", 600, "get new ones first (labctl creds paste)")


def test_forty_minutes_do_not_fit_into_ten() -> None:
    with pytest.raises(LimitError) as caught:
        refuse_what_does_not_fit(Estimate(2400, known=True), [SOON], force=False, bus=Bus())
    assert caught.value.message == "this needs about 40 min, the credentials end in 10 min"
    assert caught.value.hint == "get new ones first (labctl creds paste), or --force"
    assert caught.value.exit_status == 3


def test_force_goes_on_and_says_so() -> None:
    events: list[e.Event] = []
    refuse_what_does_not_fit(Estimate(2400, known=True), [SOON], force=True, bus=told(events))
    assert [type(event) for event in events] == [e.Warned]


@pytest.mark.parametrize("needs", [Estimate(600, known=True), Estimate(2400, known=False)])
def test_what_fits_and_what_nobody_knows_is_let_through(needs: Estimate) -> None:
    refuse_what_does_not_fit(needs, [SOON], force=False, bus=Bus())


def test_credentials_and_session_both_count() -> None:
    session = replace(record("numbers"), expires_at=time.time() + 3600)
    keys, life = ends_before(target(600), session)
    assert (keys.what, round(keys.left_s, -1)) == ("the credentials end", 600)
    assert (life.what, round(life.left_s, -1)) == ("the session ends", 3600)
    for lasting in (None, -60):  # keys without an end, and a wrong guess: they just answered
        (only,) = ends_before(target(lasting), session)
        assert only.what == "the session ends"


@pytest.mark.parametrize(("left_s", "warned"), [(30, True), (90, False), (None, False)])
def test_a_teardown_is_only_warned_about(left_s: float | None, warned: bool) -> None:
    entry = Entry(resource="jobs", kind="sqs.queue", name="jobs", state="standing")
    events: list[e.Event] = []
    known = {("sqs.queue", "delete"): 60.0}
    warn_before_down(target(left_s), [entry], known=known, bus=told(events))
    assert [type(event) for event in events] == [e.Warned] * warned


def test_steps_machines_and_agents_are_measured() -> None:
    measuring = Measuring()

    def step(action: str, resource: str, kind: str, seconds: float) -> e.StepFinished:
        return e.StepFinished(
            step=resource, action=action, resource=resource, kind=kind, name="", seconds=seconds
        )

    def ready(machine: str, seconds: float) -> e.MachineReady:
        return e.MachineReady(machine=machine, id="", address="", port=22, seconds=seconds)

    def agent(machine: str, seconds: float, *, changed: bool) -> e.AgentReady:
        return e.AgentReady(agent="mine", machine=machine, changed=changed, seconds=seconds)

    for event in (
        step("create", "jobs", "sqs.queue", 2),
        step("keep", "dead", "sqs.queue", 9),
        step("create", "worker", "ec2.instance", 3),
        ready("worker.0", 5),
        ready("worker.1", 4),
        ready("other.0", 99),  # stood before
        agent("worker.0", 6, changed=True),
        agent("worker.1", 7, changed=True),
        agent("other.0", 99, changed=False),
    ):
        measuring(0.0, event)
    assert sorted(measuring.measured()) == [
        ("agent", "push", 7),
        ("ec2.instance", "create", 3),
        ("machine", "ready", 5),
        ("sqs.queue", "create", 2),
    ]
