"""Benchmark `oltp`: sysbench's mix of transactions by a client of ours, where there is no sysbench.

Its figures are not those of sysbench: the client itself is slower. Every table says so.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from labctl.benchmarks.base import BenchContext, Host, Measured
from labctl.benchmarks.databases import DatabaseBenchmark, DatabaseModel
from labctl.benchmarks.tools import ask_program, only_host

TOOL = "labctl oltp, in Python (not sysbench)"
_FILL_S = 3600.0


class OltpModel(DatabaseModel):
    """A load of our own client."""

    kind: Literal["oltp"] = "oltp"


class Oltp(DatabaseBenchmark[OltpModel]):
    """Drives the load generator that labctl pushes to the machine."""

    name = "oltp"
    model = OltpModel

    def _tool(self, context: BenchContext, client: Host) -> str:
        return TOOL

    def _fill(self, context: BenchContext, want: OltpModel, subject: str) -> None:
        request = {"ask": "prepare", "table_size": want.table_size}
        self._ask(context, want, {**request, **self._first(context, want, subject)}, _FILL_S)

    def _drop(self, context: BenchContext, want: OltpModel, subject: str) -> None:
        request = {"ask": "clean_up", **self._first(context, want, subject)}
        self._ask(context, want, request, _FILL_S)

    def _load(self, context: BenchContext, want: OltpModel, subject: str) -> Measured:
        hosts = self._sent_to(context, want, subject)
        request = {
            "ask": "oltp",
            "servers": [f"{host.address}:{want.port}" for host in hosts],
            "writes": want.workload == "read-write",
            "threads": want.threads,
            "table_size": want.table_size,
            "warm_up_s": want.warm_up,
            "seconds": want.seconds,
        }
        answer = self._ask(context, want, request, want.warm_up + want.seconds)
        return Measured(
            per_s=answer["per_s"],
            latency_ms=answer["latency_ms"],
            counts=answer["counts"],
            served={},
            raw=json.dumps(answer),
        )

    def _first(self, context: BenchContext, want: OltpModel, subject: str) -> dict[str, str]:
        host = self._sent_to(context, want, subject)[0]
        return {"server": f"{host.address}:{want.port}"}

    def _ask(
        self, context: BenchContext, want: OltpModel, request: dict[str, Any], within_s: float
    ) -> dict[str, Any]:
        client = only_host(context, want.on)
        asked = {**request, "account": self._account(context, want)}
        return ask_program(context, client, asked, within_s=within_s)
