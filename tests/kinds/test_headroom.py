"""No sequence of launches, lost answers and strangers ever passes what the account allows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import LimitError
from labctl.kinds.headroom import Headroom, Running, count_reasons
from labctl.kinds.instance_members import TAG_LAUNCH
from labctl.kinds.vcpus import vcpus_of
from labctl.spec.limits import AccountLimits

CAP = 4


def limits(**instances: object) -> AccountLimits:
    return AccountLimits.model_validate(
        {
            "apiVersion": "labctl/v1",
            "name": "small",
            "title": "A small account",
            "as_of": "2025-06-24",
            "source": "https://example.org/",
            "instances": instances,
        }
    )


class Account:
    """An account in memory: shows instances late, loses answers, and holds to client tokens."""

    region = "us-east-1"

    def __init__(self) -> None:
        self.instances: dict[str, dict[str, Any]] = {}
        self.hidden: set[str] = set()
        self._numbers = itertools.count()

    def client(self, service: str) -> Account:
        assert service == "ec2"
        return self

    def get_paginator(self, operation: str) -> Account:
        assert operation == "describe_instances"
        return self

    def paginate(self) -> Iterator[Mapping[str, Any]]:
        shown = [each for name, each in self.instances.items() if name not in self.hidden]
        yield {"Reservations": [{"Instances": shown}]}

    def launch(self, launch: str, size: int, *, late: bool = False) -> None:
        if launch and any(each["Tags"][0]["Value"] == launch for each in self.instances.values()):
            return  # its client token was used
        for _ in range(size):
            name = f"i-{next(self._numbers):08x}"
            self.instances[name] = {
                "InstanceId": name,
                "InstanceType": "t3.micro",
                "State": {"Name": "pending"},
                "Tags": [{"Key": TAG_LAUNCH, "Value": launch}],
            }
            if late:
                self.hidden.add(name)

    @property
    def running(self) -> int:
        return sum(each["State"]["Name"] == "pending" for each in self.instances.values())


Ours = st.tuples(
    st.just("ours"),
    st.sampled_from(["a", "b", "c"]),  # the launch; the same again is a retry
    st.sampled_from(["seen", "late", "answer lost", "late and lost", "refused"]),
)
Others = st.tuples(st.just("others"), st.integers(1, 2), st.just(""))
Shown = st.tuples(st.just("all shown"), st.just(0), st.just(""))
Ended = st.tuples(st.just("ended"), st.integers(0, 9), st.just(""))
SIZES = {"a": 1, "b": 2, "c": 3}


class Refused(Exception):
    response = {"Error": {"Code": "RequestLimitExceeded"}}


def our_launch(account: Account, headroom: Headroom, launch: str, how: str) -> None:
    with headroom.room_for(["t3.micro"] * SIZES[launch], who="worker", launch=launch):
        if how == "refused":
            raise Refused
        account.launch(launch, SIZES[launch], late="late" in how)
        if "lost" in how:
            raise ConnectionError


@given(st.lists(st.one_of(Ours, Others, Shown, Ended), max_size=30))
def test_what_is_started_never_passes_the_cap(happenings: list[tuple[str, Any, str]]) -> None:
    account = Account()
    headroom = Headroom(account, limits(running=CAP))  # type: ignore[arg-type]  # only what it asks for
    for what, which, how in happenings:
        before = account.running
        if what == "ours":
            try:
                our_launch(account, headroom, which, how)
            except (Refused, ConnectionError):
                pass
            except LimitError:
                assert before + SIZES[which] > CAP
            assert account.running == before or account.running <= CAP
        elif what == "others":
            account.launch("", which)
        elif what == "ended":
            names = list(account.instances)[which : which + 1]
            account.hidden -= set(names)
            for name in names:
                account.instances[name]["State"] = {"Name": "terminated"}
        else:
            account.hidden.clear()


def test_what_does_not_run_is_not_counted() -> None:
    account = Account()
    account.launch("", 5)
    for instance, state in zip(
        account.instances.values(),
        ("stopped", "stopping", "terminated", "shutting-down", "running"),
        strict=True,
    ):
        instance["State"] = {"Name": state}
    assert len(Headroom(account, limits()).running()) == 1  # type: ignore[arg-type]  # as above


def running(count: int, kind: str = "t3.micro") -> list[Running]:
    return [Running(f"i-{number}", kind, vcpus_of(kind)) for number in range(count)]


@pytest.mark.parametrize(
    ("have", "need", "told"),
    [
        (0, 10, "running instances: the lab needs 10, small allows 9 in us-east-1"),
        (
            7,
            3,
            "running instances: the lab needs 3 more, 7 run already, small allows 9 in us-east-1",
        ),
        (7, 2, ""),
        (12, 0, ""),  # others are over the limit, and this starts nothing
    ],
)
def test_the_reason_counts_what_runs(have: int, need: int, told: str) -> None:
    reasons = count_reasons(
        limits(running=9),
        "us-east-1",
        who="the lab",
        running=running(have),
        more=["t3.micro"] * need,
    )
    assert reasons == ([told] if told else [])


def test_vcpus_and_what_ends_the_account_are_told() -> None:
    allowed = limits(running=9, vcpus=32, deactivates_at=20)
    told = count_reasons(
        allowed, "us-east-1", who="the lab", running=running(15), more=["m5.xlarge"] * 5
    )
    assert told == [
        "running instances: the lab needs 5 more, 15 run already, small allows 9 in us-east-1 "
        "(20 at once deactivate the account)",
        "vCPUs: the lab needs 20 more, 30 run already, small allows 32 in us-east-1",
    ]


@pytest.mark.parametrize(
    ("instance_type", "vcpus"),
    [
        ("t2.micro", 1),
        ("t2.medium", 2),
        ("t2.large", 2),
        ("t3.nano", 2),
        ("t4g.small", 2),
        ("m5.large", 2),
        ("m6g.medium", 1),
        ("c5.9xlarge", 36),
        ("c4.8xlarge", 36),
        ("r5.24xlarge", 96),
        ("c5.metal", 96),
    ],
)
def test_vcpus_of_types(instance_type: str, vcpus: int) -> None:
    assert vcpus_of(instance_type) == vcpus
