"""Rounds of requests are held to what the database servers count, not to what answers say alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from labctl.benchmarks.base import BenchContext, Host
from labctl.benchmarks.http import Http, HttpModel
from labctl.errors import ChecksFailed, LabctlError
from labctl.transport.base import Completed, Machine
from tests.fakes.transport import FakeMachine, FakeTransport

WANT = HttpModel.model_validate(
    {
        "kind": "http",
        "say": "reads",
        "subjects": {
            "all": {"on": "proxy", "url": "http://10.0.0.1/", "served_by": ("primary", "replica")}
        },
    }
)


class House:
    """A proxy that says who served, and servers that count for themselves."""

    def __init__(self) -> None:
        transport = FakeTransport()
        self.machines: dict[str, FakeMachine] = {}
        roles: dict[str, list[Host]] = {"proxy": [], "primary": [], "replica": []}
        for number, name in enumerate(("proxy.0", "primary.0", "replica.0", "replica.1")):
            role, index = name.split(".")
            machine = Machine(
                role=role, index=int(index), id=name, address=f"10.0.0.{number}", port=22,
                user="ubuntu", key_file=Path("/key"), host_keys=("key",),
            )  # fmt: skip
            self.machines[name] = transport.add(machine)
            roles[role].append(Host(machine, machine.address, "here"))
        self.context = BenchContext(
            transport=transport,
            hosts=lambda role: roles[role],
            secret=lambda name: "secret",
            run="run",
            cancelled=threading.Event(),
        )

    def say(self, served: Mapping[str, int]) -> None:
        """Have the load generator tell whom the answers named."""
        answer = {"per_s": 9.0, "latency_ms": {}, "counts": {}, "served": served}
        told = Completed(0, json.dumps(answer).encode(), b"")
        self.machines["proxy.0"].teach("load_generator", told)

    def count(self, name: str, **counters: tuple[int, int]) -> None:
        """Have a server tell its counters before and after."""
        turns = iter(zip(*counters.values(), strict=True))

        def answer(stdin: bytes) -> Completed:
            assert b"GLOBAL STATUS" in stdin
            rows = [
                {"Variable_name": counter, "Value": str(count)}
                for counter, count in zip(counters, next(turns), strict=True)
            ]
            return Completed(0, json.dumps(rows).encode(), b"")

        self.machines[name].teach("mariadb_node.query", answer)


@pytest.fixture
def house() -> House:
    house = House()
    house.say({"primary": 100, "replica.0": 50})
    house.count("primary.0", Com_select=(1000, 1100), Com_insert=(3, 3))
    house.count("replica.0", Com_select=(5, 60))
    house.count("replica.1", Com_select=(5, 5))
    return house


def test_what_the_servers_counted_stands_beside_the_answers(house: House) -> None:
    found = Http().measure(house.context, WANT, "all")
    assert found.served == {
        "primary.0": {"answers": 100, "Com_select": 100},
        "replica.0": {"answers": 50, "Com_select": 55},
    }


def test_a_server_that_did_not_count_its_answers_makes_it_no_figure(house: House) -> None:
    house.say({"replica.0": 75, "replica.1": 75})
    with pytest.raises(ChecksFailed, match=r"75 answers say that replica\.0 .* counted 55") as told:
        Http().measure(house.context, WANT, "all")
    assert told.value.hint


def test_a_server_that_does_not_tell_is_an_error(house: House) -> None:
    house.machines["replica.1"].teach("mariadb_node.query", Completed(1, b"", b"it is down"))
    with pytest.raises(LabctlError, match=r"replica\.1 does not tell its counters: it is down"):
        Http().measure(house.context, WANT, "all")


def test_without_database_servers_the_answers_are_all_there_is() -> None:
    house = House()
    house.say({"replica.0": 7})
    assert Http().measure(house.context, WANT, "all").served == {"replica.0": {"answers": 7}}
