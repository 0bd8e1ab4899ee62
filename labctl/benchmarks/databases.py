"""What the benchmarks of databases share: their subjects, and rounds held to their labels."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from labctl.benchmarks.base import (
    BenchContext,
    Benchmark,
    BenchmarkModel,
    Host,
    Measured,
    SubjectName,
)
from labctl.benchmarks.tools import ask_program, describe, forget, only_host
from labctl.benchmarks.topology import (
    Server,
    Topology,
    grown,
    mislabelled,
    servers_of,
    shown,
    untouched,
)
from labctl.errors import ChecksFailed, Interrupted
from labctl.figures.records import Subject
from labctl.spec.fields import Duration, ResourceName, StrictModel

Role = Annotated[str, ResourceName(("ec2.instance",))]
_CAUGHT_UP_S = 120.0
_LOOK_AGAIN_S = 0.25
_STATE_S = 60.0


class DatabaseSubject(StrictModel):
    """A set of servers, and to which of them the load is sent."""

    topology: Annotated[Topology, Field(description="What they must prove to be.")]
    roles: Annotated[
        tuple[Role, ...], Field(min_length=1, description="Whose machines are its servers.")
    ]
    to: Annotated[
        Literal["first", "all"],
        Field(description="The first server (a primary, one writer), or all of them in turn."),
    ] = "first"


class DatabaseModel(BenchmarkModel):
    """A load of transactions, as a lab file describes it."""

    on: Annotated[Role, Field(description="The role from whose first machine the load comes.")]
    subjects: Annotated[
        dict[SubjectName, DatabaseSubject],
        Field(min_length=1, max_length=9, description="What is compared, the base first."),
    ]
    workload: Annotated[
        Literal["read-only", "read-write"], Field(description="sysbench's OLTP mix.")
    ] = "read-write"
    threads: Annotated[int, Field(ge=1, le=256, description="Connections at once.")] = 4
    table_size: Annotated[int, Field(ge=100, le=100_000_000, description="Rows.")] = 100_000
    seconds: Annotated[
        Duration, Field(ge=0.5, le=3600, description="How long a round is measured.")
    ] = 10.0
    warm_up: Annotated[
        Duration, Field(ge=0, le=3600, description="How long it runs before, not counted.")
    ] = 3.0
    port: Annotated[int, Field(ge=1, le=65535, description="Where the servers listen.")] = 3306
    user: Annotated[str, Field(description="The account of the load.")] = "bench"
    secret: Annotated[str, Field(description="The session's secret that is its password.")] = (
        "bench"
    )
    database: Annotated[str, Field(description="The database whose tables are made.")] = "sbtest"


Model = TypeVar("Model", bound=DatabaseModel)


class DatabaseBenchmark(Benchmark[Model]):
    """Fills a table, sends transactions, and asks every server before and after."""

    unit = "transactions per s"

    @abstractmethod
    def _tool(self, context: BenchContext, client: Host) -> str:
        """Return what measures, with its version, as every table shows it."""

    @abstractmethod
    def _fill(self, context: BenchContext, want: Model, subject: str) -> None:
        """Make and fill the table on the first server."""

    @abstractmethod
    def _load(self, context: BenchContext, want: Model, subject: str) -> Measured:
        """Warm up and measure; `reads` and `writes` are among the counts."""

    @abstractmethod
    def _drop(self, context: BenchContext, want: Model, subject: str) -> None:
        """Drop the table; there may be none."""

    def subjects(self, want: Model) -> Sequence[str]:
        """Return the names of the sets of servers."""
        return list(want.subjects)

    def settings(self, want: Model) -> Mapping[str, str]:
        """Return the load."""
        return {
            "workload": want.workload,
            "threads": str(want.threads),
            "rows": str(want.table_size),
            "seconds": f"{want.seconds:g}",
            "warm-up": f"{want.warm_up:g}",
        }

    def secrets(self, want: Model) -> Sequence[str]:
        """Return the password of the account."""
        return [want.secret]

    def missing(self, context: BenchContext, want: Model, subject: str) -> str:
        """Return which role has no machine."""
        for role in (want.on, *want.subjects[subject].roles):
            if not context.hosts(role):
                return f"no machine of role '{role}' is up"
        return ""

    def prepare(self, context: BenchContext, want: Model, subject: str) -> Subject:
        """Fill the table and wait until every server has all of it."""
        client = only_host(context, want.on)
        tool = self._tool(context, client)
        self._hold_to_label(want, subject, self._servers(context, want, subject))
        self._drop(context, want, subject)
        self._fill(context, want, subject)
        servers = self._all_caught_up(context, want, subject)
        nodes = describe(context, self._hosts(context, want, subject))
        return Subject(
            name=subject,
            label=want.subjects[subject].topology,
            tool=tool,
            nodes=tuple(
                node.model_copy(
                    update={
                        "engine": server.engine,
                        "version": server.version,
                        "settings": server.settings,
                    }
                )
                for node, server in zip(nodes, servers, strict=True)
            ),
            client=describe(context, [client])[0],
        )

    def measure(self, context: BenchContext, want: Model, subject: str) -> Measured:
        """Measure a round; `ChecksFailed` when the servers did not do what it says."""
        before = self._servers(context, want, subject)
        self._hold_to_label(want, subject, before)
        measured = self._load(context, want, subject)
        after = self._servers(context, want, subject)
        growth = grown(before, after)
        why = untouched(
            want.subjects[subject].topology,
            growth,
            sent_to=[host.name for host in self._sent_to(context, want, subject)],
            reads=measured.counts["reads"],
            writes=measured.counts["writes"],
        )
        if why:
            raise _not_what_it_says(want, subject, why)
        return Measured(
            per_s=measured.per_s,
            latency_ms=measured.latency_ms,
            counts=measured.counts,
            served=shown(growth),
            raw=measured.raw,
        )

    def clean_up(self, context: BenchContext, want: Model, subject: str) -> None:
        """Drop the table and forget the files of this run."""
        try:
            self._drop(context, want, subject)
        finally:
            forget(context, only_host(context, want.on))

    # What the tools need

    def _hosts(self, context: BenchContext, want: Model, subject: str) -> list[Host]:
        return [host for role in want.subjects[subject].roles for host in context.hosts(role)]

    def _sent_to(self, context: BenchContext, want: Model, subject: str) -> list[Host]:
        hosts = self._hosts(context, want, subject)
        return hosts if want.subjects[subject].to == "all" else hosts[:1]

    def _account(self, context: BenchContext, want: Model) -> dict[str, str]:
        password = context.secret(want.secret)
        return {"user": want.user, "password": password, "database": want.database}

    def _servers(self, context: BenchContext, want: Model, subject: str) -> list[Server]:
        hosts = self._hosts(context, want, subject)
        request = {
            "ask": "state",
            "servers": {host.name: f"{host.address}:{want.port}" for host in hosts},
            "account": self._account(context, want),
        }
        client = only_host(context, want.on)
        return servers_of(ask_program(context, client, request, within_s=_STATE_S))

    def _all_caught_up(self, context: BenchContext, want: Model, subject: str) -> list[Server]:
        until = time.monotonic() + _CAUGHT_UP_S
        while True:
            servers = self._servers(context, want, subject)
            behind = [each.name for each in servers if each.rows != want.table_size]
            if not behind:
                return servers
            if time.monotonic() > until:
                why = f"{', '.join(behind)} has not all rows after {_CAUGHT_UP_S:.0f} s"
                raise _not_what_it_says(want, subject, why)
            if context.cancelled.wait(_LOOK_AGAIN_S):
                raise Interrupted("the benchmark was stopped", "labctl bench measures anew")

    @staticmethod
    def _hold_to_label(want: Model, subject: str, servers: Sequence[Server]) -> None:
        why = mislabelled(want.subjects[subject].topology, servers)
        if why:
            raise _not_what_it_says(want, subject, why)


def _not_what_it_says(want: DatabaseModel, subject: str, why: str) -> ChecksFailed:
    label = want.subjects[subject].topology
    return ChecksFailed(
        f"'{subject}' is labelled {label}, but {why}",
        "no figure is recorded for it; labctl logs LAB shows what the servers say",
    )
