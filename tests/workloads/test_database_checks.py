"""The checks of databases: what servers say is compared, and what is written is looked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from labctl.checks.base import CheckContext, Verdict
from labctl.checks.database import DatabaseCheck, DatabaseModel
from labctl.checks.replication import ReplicationCheck, ReplicationModel
from labctl.errors import LabctlError, TransportError
from labctl.transport.base import Completed

Answer = Callable[[str], object]


@dataclass
class Servers:
    """Roles with servers in memory; each answers a statement with the last row's last value."""

    roles: dict[str, dict[str, Answer]]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def on_role(
        self, selector: str, script: str, stdin: bytes
    ) -> Mapping[str, Completed | LabctlError]:
        assert "mariadb_node.query" in script
        role, _, index = selector.partition(".")
        servers = self.roles.get(role, {})
        chosen = {name: fn for name, fn in servers.items() if index in ("", name.split(".")[1])}
        self.asked += [(name, stdin.decode()) for name in chosen]
        return {name: _ended(fn(stdin.decode())) for name, fn in chosen.items()}

    @property
    def context(self) -> CheckContext:
        return CheckContext(None, {}, None, self.on_role)  # type: ignore[arg-type]  # not looked at


def _ended(value: object) -> Completed | LabctlError:
    if isinstance(value, Completed | LabctlError):
        return value
    return Completed(0, json.dumps([{"name": "x", "value": value}]).encode(), b"")


def says(value: object) -> Answer:
    return lambda statement: value


def holds(servers: Servers, **want: object) -> Verdict:
    model = DatabaseModel.model_validate({"query": "SELECT 1", "on": ("db",), **want})
    return DatabaseCheck().holds(servers.context, model)


def test_every_server_must_answer_as_wanted() -> None:
    servers = Servers({"db": {"db.0": says(3), "db.1": says("3")}})
    assert holds(servers, equals="3") == Verdict(True, "db.0 says 3; db.1 says 3")
    servers.roles["db"]["db.1"] = says(2)
    assert holds(servers, equals="3") == Verdict(False, "db.0 says 3; db.1 says 2; wanted 3")
    assert not holds(servers, same=True).ok
    servers.roles["db"]["db.0"] = says(2)
    assert holds(servers, same=True).ok


@pytest.mark.parametrize(
    ("answer", "says_why"),
    [
        (TransportError("db.0: no route", "look"), "no route"),
        (Completed(1, b"", b"2003: Can't connect\n"), "db.0: 2003: Can't connect"),
    ],
)
def test_a_server_that_does_not_answer_fails_the_check(answer: object, says_why: str) -> None:
    verdict = holds(Servers({"db": {"db.0": says(answer)}}), same=True)
    assert not verdict.ok
    assert says_why in verdict.say


def test_a_check_asks_one_thing() -> None:
    for wrong in ({}, {"equals": "1", "same": True}):
        with pytest.raises(ValidationError, match="one of equals and same"):
            DatabaseModel.model_validate({"on": ("db",), "query": "SELECT 1", **wrong})


def replication(servers: Servers, at_most: str = "0.2s") -> Verdict:
    data = {"from": "primary", "to": ("replica",), "at_most": at_most}
    return ReplicationCheck().holds(servers.context, ReplicationModel.model_validate(data))


def test_a_row_is_written_on_one_server_and_awaited_on_the_others() -> None:
    late = iter([0, 0, 1])
    servers = Servers(
        {
            "primary": {"primary.0": says(None), "primary.1": says(None)},
            "replica": {"replica.0": says(1), "replica.1": lambda statement: next(late)},
        }
    )
    assert replication(servers, at_most="30s").ok
    assert "primary.1" not in {name for name, _ in servers.asked}
    (written,) = [text for name, text in servers.asked if text.startswith("INSERT")]
    assert written.split("'")[1] in servers.asked[-1][1]


def test_a_row_that_does_not_come_in_time_is_told() -> None:
    servers = Servers(
        {"primary": {"primary.0": says(None)}, "replica": {"replica.0": says(0)}},
    )
    verdict = replication(servers)
    assert not verdict.ok
    assert "not on replica.0" in verdict.say


def test_without_servers_there_is_nothing_to_prove() -> None:
    assert replication(Servers({})) == Verdict(True, "no primary in this session")
    assert holds(Servers({}), equals="1").ok
