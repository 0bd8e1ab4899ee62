"""Benchmark `http`: the same request over and over, on each way that leads to its answer.

Ways that are compared may be of different length: what a hop costs is the difference. A subject
may also be a statement sent straight to a database, which is the shortest way of all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from labctl.benchmarks.base import (
    BenchContext,
    Benchmark,
    BenchmarkModel,
    Measured,
    SubjectName,
)
from labctl.benchmarks.counted import not_counted, statements
from labctl.benchmarks.databases import Role
from labctl.benchmarks.tools import ask_program, describe, forget, only_host
from labctl.benchmarks.topology import growth
from labctl.errors import ChecksFailed
from labctl.figures.records import Subject
from labctl.spec.fields import Duration, Line, Name, StrictModel

TOOL = "labctl load generator, in Python"
_NO_FIGURE = "no figure is recorded for it; labctl logs LAB shows what they say"
_NODE = r'"node": *"([^"]{1,80})"'  # as the lab's proxy tells it


class DirectModel(StrictModel):
    """A statement sent straight to a database."""

    to: Annotated[Role, Field(description="The role whose first machine is asked.")]
    statement: Annotated[str, Field(min_length=1, description="What is asked, and committed.")]
    user: Annotated[Name, Field(description="Its account, whose secret has the same name.")]
    database: Annotated[str, Field(description="The database.")] = "sakila"
    port: Annotated[int, Field(ge=1, le=65535, description="Where it listens.")] = 3306


class HttpSubject(StrictModel):
    """One way: from which machine, and what is sent where. Exactly one of `url` and `direct`."""

    on: Annotated[Role, Field(description="The role from whose first machine it is sent.")]
    url: Annotated[
        Line | None, Field(description="Such as http://${proxy.address}:8080/query.")
    ] = None
    body: Annotated[dict[str, Line], Field(description="The JSON object that is posted.")] = {}
    served_by: Annotated[
        tuple[Role, ...],
        Field(
            description="The roles that may serve; a round that another served is no figure. "
            "Database servers must have counted the answers that are said to be theirs."
        ),
    ] = ()
    direct: Annotated[DirectModel | None, Field(description="Or a statement instead.")] = None

    @model_validator(mode="after")
    def _is_one(self) -> HttpSubject:
        if (self.url is None) == (self.direct is None):
            raise ValueError("give one of url and direct")
        return self


class HttpModel(BenchmarkModel):
    """Requests on several ways, as a lab file describes them."""

    kind: Literal["http"] = "http"
    subjects: Annotated[
        dict[SubjectName, HttpSubject],
        Field(min_length=1, max_length=16, description="What is compared, the base first."),
    ]
    threads: Annotated[int, Field(ge=1, le=64, description="Requests at once.")] = 4
    seconds: Annotated[
        Duration, Field(ge=0.2, le=3600, description="How long a round is measured.")
    ] = 5.0
    warm_up: Annotated[
        Duration, Field(ge=0, le=3600, description="How long it runs before, not counted.")
    ] = 1.0


class Http(Benchmark[HttpModel]):
    """Pushes the load generator to a machine of the lab and runs it there."""

    name = "http"
    model = HttpModel
    unit = "requests per s"

    def subjects(self, want: HttpModel) -> Sequence[str]:
        """Return the names of the ways."""
        return list(want.subjects)

    def settings(self, want: HttpModel) -> Mapping[str, str]:
        """Return the load."""
        return {
            "threads": str(want.threads),
            "seconds": f"{want.seconds:g}",
            "warm-up": f"{want.warm_up:g}",
        }

    def secrets(self, want: HttpModel) -> Sequence[str]:
        """Return the accounts of those that go straight to a database."""
        return [each.direct.user for each in want.subjects.values() if each.direct]

    def missing(self, context: BenchContext, want: HttpModel, subject: str) -> str:
        """Return which role has no machine."""
        way = want.subjects[subject]
        for role in (way.on, *way.served_by, *([way.direct.to] if way.direct else [])):
            if not context.hosts(role):
                return f"no machine of role '{role}' is up"
        return ""

    def prepare(self, context: BenchContext, want: HttpModel, subject: str) -> Subject:
        """Send one request, so that a way that leads nowhere is told before anything is timed."""
        way = want.subjects[subject]
        client = only_host(context, way.on)
        self._asked(context, want, subject, threads=1, warm_up_s=0, seconds=0.2)
        where = f"straight to {way.direct.to}" if way.direct else str(way.url)
        label = f"{way.on} -> {where} {json.dumps(way.body) if way.body else ''}".rstrip()
        return Subject(name=subject, label=label, tool=TOOL, client=describe(context, [client])[0])

    def measure(self, context: BenchContext, want: HttpModel, subject: str) -> Measured:
        """Measure a round; `ChecksFailed` when another served than may, by its own counters."""
        way = want.subjects[subject]
        roles = [way.direct.to] if way.direct else way.served_by
        before = statements(context, roles)
        answer = self._asked(
            context,
            want,
            subject,
            threads=want.threads,
            warm_up_s=want.warm_up,
            seconds=want.seconds,
        )
        served = {_machine(node): int(count) for node, count in answer["served"].items() if node}
        counted = growth(before, statements(context, roles))
        why = not_counted(served, counted)
        if why:
            raise ChecksFailed(f"'{subject}': {why}", _NO_FIGURE)
        return Measured(
            per_s=answer["per_s"],
            latency_ms=answer["latency_ms"],
            counts=answer["counts"],
            served={
                node: {"answers": count, **_run(counted.get(node, {}))}
                for node, count in served.items()
            },
            raw=json.dumps(answer),
        )

    def clean_up(self, context: BenchContext, want: HttpModel, subject: str) -> None:
        """Forget the files of this run."""
        forget(context, only_host(context, want.subjects[subject].on))

    def _asked(
        self, context: BenchContext, want: HttpModel, subject: str, **load: float
    ) -> dict[str, Any]:
        way = want.subjects[subject]
        request = _direct(context, way.direct) if way.direct else _posted(way)
        within_s = load["warm_up_s"] + load["seconds"]
        client = only_host(context, way.on)
        answer = ask_program(context, client, {**request, **load}, within_s=within_s)
        others = _not_of(way.served_by, answer["served"])
        if others:
            roles = " or ".join(way.served_by)
            raise ChecksFailed(
                f"'{subject}' must be served by {roles}, but {others} served it",
                _NO_FIGURE,
            )
        return answer


def _machine(node: str) -> str:
    """Return the name of a machine; one that is alone in its role may call itself by that."""
    return node if "." in node else f"{node}.0"


def _run(counted: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counted.items() if count}


def _posted(way: HttpSubject) -> dict[str, Any]:
    return {
        "ask": "http",
        "url": way.url,
        "method": "POST",
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(way.body),
        "served": _NODE,
    }


def _direct(context: BenchContext, direct: DirectModel) -> dict[str, Any]:
    account = {"user": direct.user, "password": context.secret(direct.user)}
    return {
        "ask": "sql",
        "server": f"{only_host(context, direct.to).address}:{direct.port}",
        "name": f"{direct.to}.0",
        "account": {**account, "database": direct.database},
        "statement": direct.statement,
    }


def _not_of(roles: Sequence[str], served: Mapping[str, int]) -> str:
    """Return who served that is of none of the roles; empty when nobody did, or any role may."""
    if not roles:
        return ""
    return ", ".join(
        node or "nobody that says so" for node in served if node.partition(".")[0] not in roles
    )
