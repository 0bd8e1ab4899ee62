"""Benchmark `sysbench`: Debian's sysbench with its OLTP workloads, run on a machine of the lab."""

from __future__ import annotations

import shlex
from typing import Literal

from labctl.benchmarks.base import BenchContext, Host, Measured
from labctl.benchmarks.databases import DatabaseBenchmark, DatabaseModel
from labctl.benchmarks.sysbench_output import parse, version
from labctl.benchmarks.tools import failed, only_host, put_private, run_tool
from labctl.errors import TransportError

_FILL_S = 3600.0
_SCRIPTS = {"read-only": "oltp_read_only", "read-write": "oltp_read_write"}


class SysbenchModel(DatabaseModel):
    """A load of sysbench."""

    kind: Literal["sysbench"] = "sysbench"


class Sysbench(DatabaseBenchmark[SysbenchModel]):
    """Drives sysbench: prepare, a warm-up that is thrown away, run, cleanup."""

    name = "sysbench"
    model = SysbenchModel

    def _tool(self, context: BenchContext, client: Host) -> str:
        done = context.transport.run(client.machine, "sysbench --version")
        said = version(done.stdout.decode(errors="replace"))
        if done.status != 0 or not said:
            raise TransportError(
                f"{client.name} has no sysbench",
                "sudo apt-get install sysbench; or use a benchmark of kind oltp",
            )
        return f"sysbench {said}"

    def _fill(self, context: BenchContext, want: SysbenchModel, subject: str) -> None:
        self._call(context, want, subject, "prepare", within_s=_FILL_S)

    def _drop(self, context: BenchContext, want: SysbenchModel, subject: str) -> None:
        self._call(context, want, subject, "cleanup", within_s=_FILL_S)

    def _load(self, context: BenchContext, want: SysbenchModel, subject: str) -> Measured:
        if want.warm_up >= 1:
            self._call(context, want, subject, "run", within_s=want.warm_up, time=want.warm_up)
        output = self._call(context, want, subject, "run", within_s=want.seconds, time=want.seconds)
        parsed = parse(output)
        if parsed is None:
            raise failed(only_host(context, want.on), "sysbench run without a result", 0, output)
        return Measured(
            per_s=parsed.per_s,
            latency_ms=parsed.latency_ms,
            counts={**parsed.counts, "queries_per_s": parsed.queries_per_s},
            served={},
            raw=output,
        )

    def _call(
        self,
        context: BenchContext,
        want: SysbenchModel,
        subject: str,
        command: str,
        *,
        within_s: float,
        time: float = 0,
    ) -> str:
        """Run a command of sysbench and return what it wrote; its exit status is read."""
        client = only_host(context, want.on)
        sent_to = self._sent_to(context, want, subject)
        hosts = sent_to if command == "run" else sent_to[:1]
        account = self._account(context, want)
        # As a file: the list of processes shows arguments to everyone on the machine.
        secrets = "".join(
            f"mysql-{key}={account[name]}\n"
            for key, name in (("user", "user"), ("password", "password"), ("db", "database"))
        )
        file = put_private(context, client, "sysbench.cnf", secrets)
        words = [
            f"--mysql-host={','.join(host.address for host in hosts)}",
            f"--mysql-port={want.port}",
            f"--threads={want.threads if command == 'run' else 1}",
            "--tables=1",
            f"--table-size={want.table_size}",
            "--auto_inc=off",  # a cluster's nodes leave gaps between ids that they choose
            *([f"--time={max(1, round(time))}"] if time else []),
            _SCRIPTS[want.workload],
            command,
        ]
        script = f'sysbench --config-file="{file}" {shlex.join(words)}'
        status, output = run_tool(context, client, script, private=file, within_s=within_s)
        if status != 0:
            raise failed(client, f"sysbench {command}", status, output)
        return output
