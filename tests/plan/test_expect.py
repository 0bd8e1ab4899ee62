"""How long a plan takes: the longest way through its graph, by every way of finding it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.plan.expect import (
    USUAL_ON_AWS,
    Estimate,
    Known,
    estimate,
    estimate_teardown,
)
from labctl.plan.model import Action, Owned, Plan, Step

KINDS = ("sqs.queue", "ec2.instance", "s3.bucket")
CHANGES: tuple[Action, ...] = ("create", "keep", "update", "replace", "delete")


def step(name: str, *after: str, kind: str = "sqs.queue", action: Action = "create") -> Step:
    return Step(name, action, name, kind, name, "", frozenset(after))


def push(agent: str, role: str) -> Step:
    return step(f"agents.{agent}", role, kind=f"agent on {role}", action="push")


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a plan in its order: steps come after others of lower number only."""
    names = [f"r{number}" for number in range(draw(st.integers(0, 7)))]
    steps = []
    for number, name in enumerate(names):
        after = draw(st.sets(st.sampled_from(names[:number]))) if number else set()
        kind, action = draw(st.sampled_from(KINDS)), draw(st.sampled_from(CHANGES))
        steps.append(step(name, *after, kind=kind, action=action))
    roles = draw(st.sets(st.sampled_from(names))) if names else set()
    return Plan((*steps, *(push(f"on-{role}", role) for role in sorted(roles))))


durations = st.fixed_dictionaries(
    {
        (kind, action): st.floats(0, 1000)
        for kind in KINDS
        for action in ("create", "update", "replace", "delete")
    }
    | {("machine", "ready"): st.floats(0, 1000), ("agent", "push"): st.floats(0, 1000)}
)


def step_s(each: Step, known: Known) -> float:
    return 0.0 if each.action == "keep" else known.get((each.kind, each.action), 0.0)


def longest_way(plan: Plan, known: Known) -> float:
    """Try every way through the graph."""
    steps = {each.id: each for each in plan.steps if each.action != "push"}

    def to(name: str) -> float:
        before = [to(other) for other in steps[name].after]
        return max(before, default=0.0) + step_s(steps[name], known)

    return max((to(name) for name in steps), default=0.0)


@given(plans(), durations)
def test_it_is_the_longest_way_then_machines_then_agents(plan: Plan, known: Known) -> None:
    changed = {each.id for each in plan.steps if each.action not in ("keep", "push")}
    launched = any(
        each.kind == "ec2.instance" and each.action in ("create", "update", "replace")
        for each in plan.steps
    )
    pushed = sum(each.action == "push" and bool(each.after & changed) for each in plan.steps)
    wanted = longest_way(plan, known)
    wanted += known["machine", "ready"] * launched + known["agent", "push"] * pushed
    found = estimate(plan, known)
    assert found.seconds == pytest.approx(wanted)
    assert found.known is bool(changed)


@given(plans(), durations, st.sampled_from(KINDS), st.floats(0, 100))
def test_a_slower_step_never_makes_a_plan_quicker(
    plan: Plan, known: Mapping[tuple[str, str], float], kind: str, more: float
) -> None:
    slower = {**known, (kind, "create"): known[kind, "create"] + more}
    assert estimate(plan, slower).seconds >= estimate(plan, known).seconds


@given(plans())
def test_where_nothing_is_known_nothing_is_guessed(plan: Plan) -> None:
    assert estimate(plan, {}) == Estimate(0.0, known=False)


def test_a_replacement_is_known_by_its_halves() -> None:
    halves = {("sqs.queue", "delete"): 60.0, ("sqs.queue", "create"): 3.0}
    plan = Plan((step("jobs", action="replace"),))
    assert estimate(plan, halves) == Estimate(63.0, known=True)
    assert estimate(plan, {**halves, ("sqs.queue", "replace"): 1.0}).seconds == 1.0


def test_agents_on_machines_that_were_given_are_put_there() -> None:
    plan = Plan((push("mine", "given"),))
    assert estimate(plan, {("agent", "push"): 5.0}) == Estimate(5.0, known=True)


def test_a_lab_on_aws_takes_minutes_before_anything_was_measured() -> None:
    worker = step("worker", kind="ec2.instance")
    found = estimate(Plan((worker, push("numbers", "worker"))), USUAL_ON_AWS)
    assert found.known
    assert 120 < found.seconds < 600


def test_a_teardown_takes_its_groups_one_after_the_other() -> None:
    known = {("ec2.instance", "delete"): 40.0, ("sqs.queue", "delete"): 60.0}
    owned = [
        Owned("jobs", "sqs.queue", "jobs"),
        Owned("other", "sqs.queue", "other"),
        Owned("worker", "ec2.instance", "worker", frozenset({"jobs"})),
    ]
    assert estimate_teardown(owned, known) == Estimate(120.0, known=True)
    assert estimate_teardown([], known) == Estimate(0.0, known=False)
    assert estimate_teardown(owned, {}) == Estimate(0.0, known=False)
