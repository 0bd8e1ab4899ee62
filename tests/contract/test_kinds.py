"""What every kind promises, held on every endpoint: the engine relies on nothing else."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import uuid
from collections.abc import Mapping

import pytest

from labctl.errors import OwnershipError
from labctl.kinds.base import TAG_EXPIRES, TAG_LAB, TAG_OWNER, TAG_RESOURCE, TAG_SESSION
from labctl.kinds.registry import kind
from tests.contract.bench import Bench, bench
from tests.contract.endpoints import Endpoint, endpoint
from tests.contract.kind_cases import CASES, Case

__all__ = ["bench", "endpoint"]

# What an endpoint cannot show, by endpoint, case and the part of the contract; "" is all of it.
GAPS: Mapping[tuple[str, str, str], str] = {
    ("moto", "role with a profile", "other profile"): (
        "moto goes on showing the profile that was replaced"
    ),
}


@pytest.fixture
def case(case_name: str, endpoint: Endpoint, request: pytest.FixtureRequest) -> Case:
    part = str(request.node.originalname)
    detail = request.node.callspec.params.get("detail", "")
    for known in ((endpoint.name, case_name, each) for each in ("", part, str(detail))):
        if known in GAPS:
            pytest.skip(GAPS[known])
    return CASES[case_name]


def of_each(field: str) -> pytest.MarkDecorator:
    """Parametrise over every entry of a mapping that the cases have."""
    return pytest.mark.parametrize(
        ("case_name", "detail"),
        [(name, detail) for name, case in CASES.items() for detail in getattr(case, field)],
    )


every_case = pytest.mark.parametrize("case_name", list(CASES))
with_look_alike = pytest.mark.parametrize(
    "case_name", [name for name, case in CASES.items() if case.look_alike]
)


@every_case
def test_created_is_found_as_wanted(bench: Bench, case: Case) -> None:
    bench.make_all(case.beside)
    assert bench.find("thing", case.want) is None

    made = bench.make("thing", case.want)

    found = bench.find("thing", case.want)
    assert found is not None
    assert found.id == made.id
    assert bench.changes("thing", case.want, made) == []
    assert bench.changes("thing", case.want, found) == []
    assert found.tags[TAG_OWNER] == "somebody"
    assert set(kind(case.kind).endpoint_outputs(found)) == set(kind(case.kind).outputs)


@every_case
def test_creating_again_takes_back_what_stands(bench: Bench, case: Case) -> None:
    bench.make_all(case.beside)
    first = bench.make("thing", case.want)
    again = bench.make("thing", case.want)
    assert again.id == first.id
    assert bench.listed(case.want).count("thing") == 1


@every_case
def test_the_journal_can_hold_it(bench: Bench, case: Case) -> None:
    bench.make_all(case.beside)
    made = bench.make("thing", case.want)
    kept = json.loads(json.dumps([made.attributes, made.members]))
    revived = dataclasses.replace(made, attributes=kept[0], members=tuple(kept[1]))
    assert bench.changes("thing", case.want, revived) == []


@of_each("updates")
def test_an_update_makes_it_as_wanted(bench: Bench, case: Case, detail: str) -> None:
    bench.make_all(case.beside)
    before = bench.make("thing", case.want)
    wanted = case.updates[detail]
    assert bench.changes("thing", wanted, before)

    after = bench.mend("thing", wanted, before)

    found = bench.find("thing", wanted)
    assert found is not None
    assert bench.changes("thing", wanted, after) == []
    assert bench.changes("thing", wanted, found) == []
    kept = set(before.id.split(",")) & set(found.id.split(","))
    assert kept, "an update replaced everything"


@of_each("updates")
def test_an_update_can_be_taken_back(bench: Bench, case: Case, detail: str) -> None:
    bench.make_all(case.beside)
    changed = bench.make("thing", case.updates[detail])
    bench.mend("thing", case.want, changed)
    found = bench.find("thing", case.want)
    assert found is not None
    assert bench.changes("thing", case.want, found) == []


@of_each("replacements")
def test_what_cannot_be_mended_asks_for_a_replacement(
    bench: Bench, case: Case, detail: str
) -> None:
    bench.make_all(case.beside)
    made = bench.make("thing", case.want)
    changes = bench.changes("thing", case.replacements[detail], made)
    assert any(change.startswith("replace ") for change in changes)


@of_each("harms")
def test_what_somebody_changed_is_seen_and_mended(bench: Bench, case: Case, detail: str) -> None:
    bench.make_all(case.beside)
    made = bench.make("thing", case.want)
    case.harms[detail](bench.endpoint.client, made)

    harmed = bench.find("thing", case.want)
    assert harmed is not None
    assert bench.changes("thing", case.want, harmed)

    bench.mend("thing", case.want, harmed)
    found = bench.find("thing", case.want)
    assert found is not None
    assert bench.changes("thing", case.want, found) == []


@every_case
def test_deleted_is_gone_and_deleting_again_is_fine(bench: Bench, case: Case) -> None:
    bench.make_all(case.beside)
    made = bench.make("thing", case.want)
    bench.delete("thing", case.want, made)
    assert bench.find("thing", case.want) is None
    assert "thing" not in bench.listed(case.want)
    bench.delete("thing", case.want, made)


@every_case
def test_a_deleted_one_can_be_made_again(bench: Bench, case: Case) -> None:
    bench.make_all(case.beside)
    bench.delete("thing", case.want, bench.make("thing", case.want))
    again = bench.make("thing", case.want)
    assert bench.changes("thing", case.want, again) == []


@every_case
def test_it_is_listed_by_its_own_tags_only(bench: Bench, case: Case) -> None:
    bench.make_all(case.beside)
    bench.make("thing", case.want)
    assert "thing" in bench.listed(case.want)
    assert "thing" in bench.listed(case.want, **{TAG_LAB: "contract", TAG_SESSION: bench.session})
    assert bench.listed(case.want, **{TAG_SESSION: "another"}) == []


@every_case
def test_its_deadline_can_be_moved(bench: Bench, case: Case) -> None:
    bench.make_all(case.beside)
    made = bench.make("thing", case.want)
    of_kind, context = kind(case.kind), bench.context("thing", case.want)
    moved = dataclasses.replace(context, tags={**context.tags, TAG_EXPIRES: "4102448400"})
    (listed,) = [
        each
        for each in of_kind.list_tagged(bench.endpoint.target, {TAG_SESSION: bench.session})
        if each.tags.get(TAG_RESOURCE) == "thing"
    ]
    of_kind.retag(moved, listed)
    assert "thing" in bench.listed(case.want, **{TAG_EXPIRES: "4102448400"})
    found = bench.find("thing", case.want)
    assert found is not None
    assert found.tags == {**made.tags, TAG_EXPIRES: "4102448400"}
    assert bench.changes("thing", case.want, found) == []


@with_look_alike
@pytest.mark.parametrize("owner", ["nobody", "another session"])
def test_a_look_alike_is_left_alone(bench: Bench, case: Case, owner: str) -> None:
    bench.make_all(case.beside)
    tags = {} if owner == "nobody" else {TAG_SESSION: "other", TAG_LAB: "theirs"}
    # A plain name: one that holds the session nobody else would give.
    name = f"plain-{uuid.uuid4().hex[:12]}"
    assert case.look_alike is not None
    state = case.look_alike(bench.endpoint.client, name, tags)
    before = state()
    of_kind, context = kind(case.kind), bench.context("thing", case.want, name=name)

    with pytest.raises(OwnershipError):
        of_kind.find(context, case.want)
    with pytest.raises(OwnershipError):
        of_kind.create(context, case.want)
    assert "thing" not in bench.listed(case.want)
    assert state() == before


@with_look_alike
def test_a_look_alike_that_took_the_place_is_not_deleted(bench: Bench, case: Case) -> None:
    bench.make_all(case.beside)
    made = bench.make("thing", case.want)
    bench.delete("thing", case.want, made)
    assert case.look_alike is not None
    state = case.look_alike(bench.endpoint.client, made.name, {TAG_SESSION: "other"})
    before = state()
    of_kind = kind(case.kind)
    with contextlib.suppress(OwnershipError):
        of_kind.delete(bench.context("thing", case.want), made)
    assert state() == before


# S3 names its IAM actions unlike its operations; elsewhere the two are the same.
_S3_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "DeleteObjects": ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    "DeletePublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
    "HeadBucket": ("s3:ListBucket",),
    "ListBuckets": ("s3:ListAllMyBuckets",),
    "ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "ListObjectVersions": ("s3:ListBucketVersions",),
    "PutPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
}


@every_case
def test_every_call_is_declared(bench: Bench, case: Case, case_name: str) -> None:
    bench.make_all(case.beside)
    calls = bench.endpoint.calls
    start = len(calls.seen)
    made = bench.make("thing", case.want)
    for detail, wanted in case.updates.items():
        if (bench.endpoint.name, case_name, detail) in GAPS:
            continue
        found = bench.find("thing", wanted)
        if found is not None and bench.changes("thing", wanted, found):
            made = bench.mend("thing", wanted, found)
    bench.listed(case.want)
    kind(case.kind).retag(bench.context("thing", case.want), made)
    bench.delete("thing", case.want, made)

    needed = {
        action
        for service, operation in calls.since(start)
        for action in (
            _S3_ACTIONS.get(operation, (f"s3:{operation}",))
            if service == "s3"
            else (f"{service}:{operation}",)
        )
    }
    assert needed <= set(kind(case.kind).actions)
