"""Check `queries`: which servers a query through the gatekeeper reaches, by their own counters."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from labctl.checks.asking import NoAnswer, Role, ask
from labctl.checks.base import Check, CheckContext, Verdict
from labctl.errors import LabctlError
from labctl.spec.fields import Line, StrictModel
from labctl.transport.gatekeeper import Gatekeeper, Port, ask_gatekeeper

_COUNTER = "SHOW GLOBAL STATUS LIKE 'Com_select'"
_MARK = "MARK"
Query = Annotated[Line, Field(min_length=1, max_length=4000, description="One statement of SQL.")]


class QueriesModel(StrictModel):
    """What is asked, and one of: which servers must serve it, that it is refused, or a write.

    With `served_by` the servers' counters of SELECTs are read before and after: those of these
    roles must have grown by as many as were asked, those of `not_by` by fewer. With `after` that
    write is done first; `MARK` in both is a text made up for it, which the read must find.
    """

    through: Gatekeeper
    port: Port = 8080
    mode: Annotated[Line, Field(description="direct-hit, random, customized or write.")]
    query: Query
    times: Annotated[int, Field(ge=1, le=1000, description="How often it is asked.")] = 1
    served_by: Annotated[
        tuple[Role, ...], Field(description="Roles whose servers must serve all of it.")
    ] = ()
    not_by: Annotated[tuple[Role, ...], Field(description="Roles that must not serve it.")] = ()
    refused: Annotated[
        Literal[True] | None, Field(description="The trusted host must refuse it.")
    ] = None
    after: Annotated[Query | None, Field(description="A write to do first.")] = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> QueriesModel:
        if sum((bool(self.served_by), bool(self.refused), self.after is not None)) != 1:
            raise ValueError("give one of served_by, refused: true and after")
        return self


class QueriesCheck(Check[QueriesModel]):
    """Sends queries as a client does, and looks at the servers apart from what the answers say."""

    name = "queries"
    model = QueriesModel

    def holds(self, context: CheckContext, want: QueriesModel) -> Verdict:
        """Ask, and look."""
        try:
            if want.refused:
                return _refused(context, want)
            return _read_back(context, want) if want.after else _served(context, want)
        except (LabctlError, NoAnswer) as error:
            return Verdict(False, getattr(error, "message", str(error)))


def _asked(context: CheckContext, want: QueriesModel, **changed: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON value
    gatekeeper = context.neighbours.get(want.through)
    if gatekeeper is None:
        raise LabctlError(f"{want.through} is not up")
    return ask_gatekeeper(
        context.on_role,
        role=want.through,
        place=f"{gatekeeper.attributes['address']}:{want.port}",
        requests=[{"mode": want.mode, "query": want.query, **changed}],
    )


def _refused(context: CheckContext, want: QueriesModel) -> Verdict:
    answers = _asked(context, want, times=want.times)
    passed = [each for each in answers if each["status"] != 403]
    if passed:
        return Verdict(False, f"it was not refused: status {passed[0]['status']}")
    return Verdict(True, f"refused: {answers[0]['error']}")


def _served(context: CheckContext, want: QueriesModel) -> Verdict:
    before = _counts(context, want)
    answers = _asked(context, want, times=want.times)
    grown = {role: now - before[role] for role, now in _counts(context, want).items()}
    failed = [each for each in answers if each["status"] != 200]
    if failed:
        said = failed[0].get("error")
        return Verdict(False, f"{len(failed)} of {want.times} were not served: {said}")
    told = Counter(each["node"] for each in answers)
    nodes = ", ".join(f"{name} {count}" for name, count in sorted(told.items()))
    say = f"served by {nodes}; counted by {grown}"
    there = sum(grown[role] for role in want.served_by) >= want.times
    elsewhere = [role for role in want.not_by if grown[role] >= want.times]
    by_name = all(name.partition(".")[0] in want.served_by for name in told)
    return Verdict(there and by_name and not elsewhere, say)


def _counts(context: CheckContext, want: QueriesModel) -> Mapping[str, int]:
    return {
        role: sum(int(row[-1]) for row in ask(context, role, _COUNTER).values())
        for role in (*want.served_by, *want.not_by)
    }


def _read_back(context: CheckContext, want: QueriesModel) -> Verdict:
    assert want.after is not None, "the model lets nothing else through"
    mark = secrets.token_hex(8)
    (wrote,) = _asked(context, want, mode="write", query=want.after.replace(_MARK, mark))
    if wrote["status"] != 200:
        return Verdict(False, f"the write failed: {wrote.get('error')}")
    query = want.query.replace(_MARK, mark)
    (read,) = _asked(context, want, query=query, after=wrote.get("position"))
    if read["status"] != 200:
        return Verdict(False, f"the read failed: {read.get('error')}")
    found = any(mark in map(str, row) for row in read["rows"])
    say = f"written on {wrote['node']}, read from {read['node']}"
    return Verdict(found, say if found else f"{say}: it is not there")
