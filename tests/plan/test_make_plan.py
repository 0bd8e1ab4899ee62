"""A plan is right for any lab: order, reasons, and nothing forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labctl.plan.make import make_plan, teardown_order
from labctl.plan.model import Change, Owned, Push, Seen, Want

NAMES = st.lists(
    st.text(alphabet="abcdefgh", min_size=1, max_size=3), min_size=1, max_size=12, unique=True
)


@st.composite
def labs(draw: st.DrawFn) -> list[Want]:
    """Resources that need only ones drawn before them, in a shuffled order."""
    names = draw(NAMES)
    wants = [
        Want(
            resource=name,
            kind="sqs.queue",
            name=f"n-{name}",
            needs=frozenset(draw(st.sets(st.sampled_from(names[:index]))) if index else ()),
        )
        for index, name in enumerate(names)
    ]
    return draw(st.permutations(wants))


@st.composite
def sights(draw: st.DrawFn, wants: list[Want]) -> dict[str, Seen]:
    update = Change(field="delay", have="1", want="0")
    replace = Change(field="fifo", have="no", want="yes", action="replace")
    choices = [
        Seen(exists=False),
        Seen(exists=True),
        Seen(exists=True, changes=(update,)),
        Seen(exists=True, changes=(update, replace)),
        Seen(exists=True, changes=None),
    ]
    return {want.resource: draw(st.sampled_from(choices)) for want in wants}


def is_replaced(sight: Seen) -> bool:
    return any(change.action == "replace" for change in sight.changes or ())


@given(st.data())
def test_every_step_stands_after_what_it_needs(data: st.DataObject) -> None:
    wants = data.draw(labs())
    seen = data.draw(sights(wants))
    old = [Owned("old", "s3.bucket", "n-old"), Owned("older", "s3.bucket", "x", frozenset({"old"}))]
    plan = make_plan(wants, [Push("agent", wants[0].resource)], seen=seen, owned=old)
    place = {step.id: index for index, step in enumerate(plan.steps)}
    assert all(place[need] < place[step.id] for step in plan.steps for need in step.after)
    assert set(place) == {want.resource for want in wants} | {"old", "older", "agents.agent"}
    assert place["older"] < place["old"]


@given(st.data())
def test_the_action_follows_from_what_was_seen(data: st.DataObject) -> None:
    wants = data.draw(labs())
    seen = data.draw(sights(wants))
    for step in make_plan(wants, [], seen=seen).steps:
        sight = seen[step.resource]
        needs_replaced = any(is_replaced(seen[need]) for need in step.after)
        if not sight.exists:
            assert step.action == "create"
        elif sight.changes is None:
            assert step.action == "update"
        elif not sight.changes:
            assert step.action == ("update" if needs_replaced else "keep")
        else:
            assert step.action == ("replace" if is_replaced(sight) else "update")
            assert all(change.field in step.reason for change in sight.changes)


def test_what_left_the_lab_file_is_deleted_after_those_that_needed_it() -> None:
    wants = [Want("jobs", "sqs.queue", "jobs")]
    owned = [
        Owned("jobs", "sqs.queue", "jobs", frozenset({"dead"})),
        Owned("dead", "sqs.queue", "dead"),
    ]
    plan = make_plan(wants, [], seen={"jobs": Seen(exists=True)}, owned=owned)
    assert [(step.resource, step.action) for step in plan.steps] == [
        ("jobs", "keep"),
        ("dead", "delete"),
    ]
    assert plan.changes_something


def test_what_bears_another_name_or_kind_than_before_is_replaced() -> None:
    wants = [Want("jobs", "sqs.queue", "new"), Want("files", "s3.bucket", "files")]
    owned = [Owned("jobs", "sqs.queue", "old"), Owned("files", "sqs.queue", "files")]
    plan = make_plan(wants, [], seen={}, owned=owned)
    assert {step.resource: (step.action, step.reason) for step in plan.steps} == {
        "jobs": ("replace", "name: old -> new"),
        "files": ("replace", "kind: sqs.queue -> s3.bucket"),
    }


def test_what_refers_to_a_replaced_thing_is_not_called_kept() -> None:
    lost = Change("private key", "lost", "known", "replace")
    wants = [
        Want("worker", "ec2.instance", "worker", frozenset({"key"})),
        Want("key", "ec2.key_pair", "key"),
    ]
    seen = {"worker": Seen(exists=True), "key": Seen(exists=True, changes=(lost,))}
    plan = make_plan(wants, [], seen=seen)
    assert [(step.resource, step.action) for step in plan.steps] == [
        ("key", "replace"),
        ("worker", "update"),
    ]
    assert plan.steps[1].reason == "key is replaced first"


@given(labs())
def test_teardown_is_the_reverse_of_needing(wants: list[Want]) -> None:
    owned = [Owned(want.resource, want.kind, want.name, want.needs) for want in wants]
    groups = teardown_order(owned)
    place = {name: index for index, group in enumerate(groups) for name in group}
    assert sum(len(group) for group in groups) == len(owned)
    assert all(place[item.resource] < place[need] for item in owned for need in item.needs)
