"""The checks and the action of a database behind a gatekeeper: what is said and what is counted."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from labctl.actions.base import ActionContext, Chosen, Fact
from labctl.actions.queries_send import QueriesAction
from labctl.actions.queries_send import QueriesModel as SendModel
from labctl.checks.base import CheckContext, Verdict
from labctl.checks.queries import QueriesCheck, QueriesModel
from labctl.checks.reach import ReachCheck, ReachModel
from labctl.errors import LabctlError, TransportError
from labctl.kinds.base import Actual
from labctl.transport.base import Completed

KEEPER = Actual("ec2.instance", "keeper", "i-1", {"address": "10.0.0.1"})


@dataclass
class House:
    """A gatekeeper and servers in memory; `counts` says whom a read that is served reaches."""

    counts: list[str] = field(default_factory=lambda: ["replica.0"])
    told: str = "replica.0"  # whom the answer names
    status: int = 200
    rows: list[list[Any]] | None = None  # None: the mark that was written is found
    counters: dict[str, int] = field(
        default_factory=lambda: {"primary.0": 5, "replica.0": 7, "replica.1": 9}
    )
    asked: list[dict[str, Any]] = field(default_factory=list)
    fails: LabctlError | Completed | None = None

    def on_role(
        self, selector: str, script: str, stdin: bytes
    ) -> Mapping[str, Completed | LabctlError]:
        if "mariadb_node.query" in script:
            role = selector.partition(".")[0]
            return {
                name: _done([{"name": "Com_select", "value": count}])
                for name, count in self.counters.items()
                if name.partition(".")[0] == role
            }
        assert "gatekeeper.ask" in script
        if self.fails is not None:
            return {"gatekeeper.0": self.fails}
        answers = [json.dumps(self._answer(json.loads(line))) for line in stdin.splitlines()]
        return {"gatekeeper.0": Completed(0, "\n".join(answers).encode(), b"")}

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        if self.status != 200:
            return {"status": self.status, "ms": 1.0, "error": "the function SLEEP is not allowed"}
        if request["mode"] == "write":
            return {**self._head("primary"), "changed": 1, "position": "0-1-7"}
        for name in self.counts:
            self.counters[name] += 1
        found = self.rows if self.rows is not None else [[1, request["query"].split("'")[-2]]]
        return {**self._head(self.told), "columns": ["id", "a"], "rows": found, "truncated": False}

    def _head(self, node: str) -> dict[str, Any]:
        return {"status": 200, "ms": 2.5, "took_ms": 1.5, "node": node, "notes": []}

    @property
    def context(self) -> CheckContext:
        return CheckContext(None, {"gatekeeper": KEEPER}, None, self.on_role)  # type: ignore[arg-type]  # not looked at


def _done(value: object) -> Completed:
    return Completed(0, json.dumps(value).encode(), b"")


def holds(house: House, **want: object) -> Verdict:
    base = {"through": "gatekeeper", "mode": "random", "query": "SELECT a FROM b WHERE a = 'MARK'"}
    return QueriesCheck().holds(house.context, QueriesModel.model_validate({**base, **want}))


SERVED = {"served_by": ("replica",), "not_by": ("primary",)}


def test_a_read_is_served_by_those_who_counted_it() -> None:
    house = House()
    verdict = holds(house, **SERVED)
    assert verdict.ok
    assert "served by replica.0 1; counted by {'replica': 1, 'primary': 0}" in verdict.say
    assert house.asked[0]["url"] == "http://10.0.0.1:8080"


@pytest.mark.parametrize(
    "house",
    [
        House(counts=[]),  # the answer names a replica that has counted nothing
        House(counts=["primary.0"]),
        House(counts=["replica.0", "primary.0"]),
        House(told="primary"),
        House(status=503),
        House(fails=TransportError("gatekeeper.0: no route", "look")),
        House(fails=Completed(70, b"", b"\nthere is no gatekeeper on it\nlabctl up\n")),
    ],
    ids=lambda house: f"{house.counts} {house.told} {house.status}",
)
def test_a_read_that_others_serve_fails_the_check(house: House) -> None:
    assert not holds(house, **SERVED).ok


def test_what_must_be_refused_must_be_refused() -> None:
    assert holds(House(status=403), refused=True) == Verdict(
        True, "refused: the function SLEEP is not allowed"
    )
    for status in (200, 400, 503, 0):
        assert not holds(House(status=status), refused=True).ok


def test_what_was_written_must_be_read() -> None:
    after = "INSERT INTO b (a) VALUES ('MARK')"
    house = House()
    verdict = holds(house, after=after)
    assert verdict == Verdict(True, "written on primary, read from replica.0")
    write, read = house.asked
    mark = write["query"].split("'")[1]
    assert (len(mark), read["after"]) == (16, "0-1-7")
    assert not holds(House(rows=[]), after=after).ok
    assert not holds(House(status=503), after=after).ok


@pytest.mark.parametrize(
    "want", [{}, {"refused": True, "after": "x"}, {"served_by": ("a",), "refused": True}]
)
def test_a_check_asks_one_thing(want: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="give one of"):
        holds(House(), **want)


def test_without_its_gatekeeper_nothing_holds() -> None:
    context = CheckContext(None, {}, None)  # type: ignore[arg-type]  # not looked at
    want = QueriesModel(through="gatekeeper", mode="random", query="SELECT 1", refused=True)
    assert QueriesCheck().holds(context, want) == Verdict(False, "gatekeeper is not up")


@pytest.mark.parametrize(
    ("said", "open_", "ok"),
    [
        (b"open\n", True, True),
        (b"open\n", False, False),
        (b"closed: Connection refused\n", False, True),
        (b"closed: no answer\n", True, False),
        (b"", True, False),
    ],
)
def test_a_port_is_tried_from_every_machine(said: bytes, open_: bool, ok: bool) -> None:
    tried: list[str] = []

    def on_role(role: str, script: str, stdin: bytes) -> Mapping[str, Completed | LabctlError]:
        tried.append(script)
        return {"a.0": Completed(0, said, b""), "a.1": Completed(0, said, b"")}

    want = {"from": "a", "address": "10.0.0.1,10.0.0.2", "port": 3306, "open": open_}
    context = CheckContext(None, {}, None, on_role)  # type: ignore[arg-type]  # not looked at
    verdict = ReachCheck().holds(context, ReachModel.model_validate(want))
    assert verdict.ok == ok
    assert ["host=10.0.0.2" in text for text in tried] == [False, True]
    nobody = CheckContext(None, {}, None)  # type: ignore[arg-type]  # not looked at
    assert not ReachCheck().holds(nobody, ReachModel.model_validate(want)).ok


def sent(house: House, *modes: str, **options: str) -> list[Fact]:
    model = SendModel.model_validate({"say": "Ask.", "through": "gatekeeper", "modes": list(modes)})
    form = QueriesAction().form(model)
    assert form.words is not None
    chosen = Chosen(
        ("SELECT a FROM b WHERE a = 'c'",),
        {**{name: each.default for name, each in form.options.items()}, **options},
    )
    context = ActionContext(
        None,  # type: ignore[arg-type]  # not looked at
        {"gatekeeper": KEEPER},
        lambda requests: iter(()),
        threading.Event(),
        house.on_role,
    )
    return list(QueriesAction().run(context, model, chosen))


def test_an_action_shows_who_answered_and_the_rows() -> None:
    house = House(rows=[[1, None], [2, "x"]])
    said = [fact.say for fact in sent(house, "random", "direct-hit", after="0-1-2")]
    assert said == [
        "replica.0 in 1.5 ms (2.5 ms through every hop): 2 rows",
        "id | a",
        "1 | NULL",
        "2 | x",
    ]
    assert (house.asked[0]["mode"], house.asked[0]["after"]) == ("random", "0-1-2")


def test_an_action_that_writes_shows_the_position() -> None:
    (fact,) = sent(House(), "write")
    assert fact.say.endswith("1 rows changed, position 0-1-7")


def test_a_refusal_is_a_failed_fact() -> None:
    (fact,) = sent(House(status=403), "random")
    assert (fact.ok, fact.say) == (False, "not done: the function SLEEP is not allowed")


def test_a_gatekeeper_that_cannot_be_asked_is_an_error() -> None:
    with pytest.raises(LabctlError, match="no route"):
        sent(House(fails=TransportError("gatekeeper.0: no route", "look")), "random")
