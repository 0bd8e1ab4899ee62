"""The members of a role keep their index, whatever ends, appears late or is copied."""

from __future__ import annotations

import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labctl.kinds.instance_members import TAG_LAUNCH, Members, arrange, plain_instance

_START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def instance(
    number: int,
    *,
    launch: str = "0+3 00000000",
    place: int = 0,
    state: str = "running",
    minute: int = 0,
) -> dict[str, Any]:
    return plain_instance(
        {
            "InstanceId": f"i-{number:08x}",
            "AmiLaunchIndex": place,
            "State": {"Name": state},
            "LaunchTime": _START + datetime.timedelta(minutes=minute),
            "Tags": [{"Key": TAG_LAUNCH, "Value": launch}],
        }
    )


def by_index(members: Members) -> dict[int, str]:
    return {each["Index"]: each["InstanceId"] for each in members.live}


sizes = st.lists(st.integers(1, 5), min_size=1, max_size=5)


@given(sizes, st.randoms(use_true_random=False))
def test_ends_and_answers_in_any_order_renumber_nobody(sizes: list[int], random: Any) -> None:  # noqa: ANN401 - hypothesis' own
    launched, first = [], 0
    for which, size in enumerate(sizes):
        numbers = random.sample(range(10_000), size)
        launched += [
            instance(
                which * 10_000 + number,
                launch=f"{first}+{size} {which:08x}",
                place=place,
                minute=which,
            )
            for place, number in enumerate(numbers)
        ]
        first += size
    before = by_index(arrange(launched))
    assert sorted(before) == list(range(first))

    left = [each for each in launched if random.random() < 0.5]
    random.shuffle(left)
    after = by_index(arrange(left))
    assert after.items() <= before.items()
    assert arrange(left).missing(first) == sorted(set(before) - set(after))


def test_of_two_with_the_same_index_the_older_stays() -> None:
    copied = instance(1, launch="0+1 00000000", place=0, minute=9)
    original = instance(2, launch="0+1 00000000", place=0, minute=1)
    members = arrange([copied, original, instance(3, launch="1+1 00000001", minute=1)])
    assert by_index(members) == {0: "i-00000002", 1: "i-00000003"}
    assert [each["InstanceId"] for each in members.extra] == ["i-00000001"]
    assert members.surplus(2) == list(members.extra)


def test_an_instance_whose_tag_says_nothing_is_too_much() -> None:
    for launch in ("", "x", "0+3", "-1+3 00000000", "0+3 00000000; rm", "99999+1 00000000"):
        members = arrange([instance(1, launch=launch)])
        assert not members.live
        assert len(members.extra) == 1


def test_an_endpoint_that_numbers_all_alike_still_has_an_order() -> None:
    members = arrange([instance(number, place=0) for number in (7, 5, 6)])
    assert by_index(members) == {0: "i-00000005", 1: "i-00000006", 2: "i-00000007"}


def test_the_ended_do_not_count_but_are_known() -> None:
    members = arrange([instance(1, place=0, state="terminated"), instance(2, place=1)])
    assert by_index(members) == {1: "i-00000002"}
    assert [each["InstanceId"] for each in members.dead] == ["i-00000001"]
    assert members.missing(2) == [0]


def test_a_young_launch_that_is_seen_in_part_is_not_settled() -> None:
    members = arrange([instance(1, place=1)])
    launched = _START.timestamp()
    assert members.unseen_launch(now=launched + 10, settle_s=90)
    assert not members.unseen_launch(now=launched + 100, settle_s=90)
    whole = arrange([instance(number, place=number) for number in range(3)])
    assert not whole.unseen_launch(now=launched + 10, settle_s=90)
