"""sysbench and our own client on real MariaDB servers, each round held to its label."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labctl.benchmarks.base import BenchContext, Measured
from labctl.benchmarks.databases import DatabaseModel
from labctl.benchmarks.registry import benchmark
from labctl.errors import ChecksFailed, Interrupted
from labctl.figures.records import Subject
from tests.benchmarks.client import measuring, needs_sysbench
from tests.databases.nodes import Node, cluster, needs_mariadb, replicated, standalone
from tests.remote.waiting import eventually

pytestmark = [needs_mariadb, needs_sysbench]

SUBJECTS: dict[str, Any] = {
    "standalone": {"topology": "standalone", "roles": ["standalone"]},
    "replicated": {"topology": "replicated", "roles": ["primary", "replica"]},
    "reading": {"topology": "replicated", "roles": ["primary", "replica"], "to": "all"},
    "cluster": {"topology": "cluster", "roles": ["cluster"]},
    "all-writers": {"topology": "cluster", "roles": ["cluster"], "to": "all"},
}


@dataclass
class Bench:
    """What stands: every topology, and the machine from which they are measured."""

    context: BenchContext
    nodes: dict[str, list[Node]]

    @property
    def home(self) -> Path:
        """The home folder of the client."""
        key_file = self.context.hosts("client")[0].machine.key_file
        assert key_file is not None
        return key_file.parents[1] / "home"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("databases")
    with ExitStack() as ends:
        alone = ends.enter_context(standalone(folder / "one"))
        copied = ends.enter_context(replicated(folder / "two", replicas=1))
        wide = ends.enter_context(cluster(folder / "three", nodes=2))
        nodes = {"standalone": [alone], "primary": copied[:1], "replica": copied[1:]}
        nodes["cluster"] = wide
        for name, group in nodes.items():
            for node in group:  # one account for all of them, as in a session
                (folder / "secrets").mkdir(exist_ok=True)
                _same_password(node, folder / "secrets" / "bench", first=name == "standalone")
        context = ends.enter_context(
            measuring(folder / "machine", nodes, secrets=folder / "secrets")
        )
        yield Bench(context, nodes)


def _same_password(node: Node, file: Path, *, first: bool) -> None:
    if first:
        file.write_text((node.secrets / "bench").read_text())
        return
    statement = f"SET PASSWORD FOR bench@'%' = PASSWORD('{file.read_text()}')"
    node.ask_as_root(f"SET STATEMENT sql_log_bin = 0 FOR {statement}")


def wanted(kind: str, **changes: object) -> DatabaseModel:
    values: dict[str, object] = {
        "kind": kind,
        "say": "A comparison",
        "on": "client",
        "subjects": SUBJECTS,
        "threads": 2,
        "table_size": 500,
        "seconds": "1s",
        "warm_up": "0s",
        "port": 3306,
    }
    model = benchmark(kind).model.model_validate({**values, **changes}, strict=False)
    assert isinstance(model, DatabaseModel)
    return model


def measured(bench: Bench, kind: str, subject: str, **changes: object) -> tuple[Subject, Measured]:
    """Prepare, measure once and clean up a subject."""
    role = SUBJECTS[subject]["roles"][0]
    want = wanted(kind, port=bench.nodes[role][0].port, **changes)
    chosen = benchmark(kind)
    try:
        prepared = chosen.prepare(bench.context, want, subject)
        return prepared, chosen.measure(bench.context, want, subject)
    finally:
        chosen.clean_up(bench.context, want, subject)


@pytest.mark.parametrize("subject", ["standalone", "replicated", "all-writers"])
def test_sysbench_measures_every_topology(bench: Bench, subject: str) -> None:
    with watched_processes() as shown:
        about, found = measured(bench, "sysbench", subject)
    assert found.per_s > 1
    assert found.latency_ms["min"] <= found.latency_ms["avg"] <= found.latency_ms["max"]
    assert f"transactions:                        {found.counts['transactions']:.0f}" in found.raw
    assert about.tool.startswith("sysbench 1.")
    for node in about.nodes:
        assert node.version.startswith(("10.", "11.", "12."))
        assert "InnoDB" in node.engine
        assert ("Galera of 2" in node.engine) == (about.label == "cluster")
        assert node.settings["buffer pool"] == "64 MiB"
        assert node.settings["flush at commit"] == "1"
        assert "cores" in node.machine
    assert sum(served["Com_select"] for served in found.served.values()) >= found.counts["reads"]
    assert_no_trace(bench, subject)
    assert any("oltp_read_write" in line for line in shown)  # it was seen at work
    assert not any(bench.context.secret("bench") in line for line in shown)


def test_reads_go_to_every_server_of_a_replication(bench: Bench) -> None:
    _, found = measured(bench, "sysbench", "reading", workload="read-only")
    assert all(served["Com_select"] > 10 for served in found.served.values())
    assert found.served.keys() == {"primary.0", "replica.0"}


def test_our_own_client_does_the_same_and_is_marked(bench: Bench) -> None:
    about, found = measured(bench, "oltp", "all-writers", warm_up="0.2s")
    assert "not sysbench" in about.tool
    assert found.per_s > 1
    assert found.counts["queries"] == found.counts["transactions"] * 20
    writes = sum(
        served["Com_update"] + served["Com_delete"] + served["Com_insert"]
        for served in found.served.values()
    )
    assert writes >= found.counts["writes"]
    assert_no_trace(bench, "all-writers")


def assert_no_trace(bench: Bench, subject: str) -> None:
    """Neither tables on the servers nor files on the client are left."""
    for role in SUBJECTS[subject]["roles"]:
        for node in bench.nodes[role]:
            assert node.ask_as_root("SHOW TABLES FROM sbtest") == []
    assert not list((bench.home / ".labctl").glob("bench-*"))


@contextmanager
def watched_processes() -> Iterator[set[str]]:
    """Gather meanwhile what the list of processes shows of every other process."""
    shown: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            for entry in Path("/proc").glob("[0-9]*"):
                if int(entry.name) != os.getpid():
                    with suppress(OSError):
                        for name in ("cmdline", "environ"):
                            shown.add((entry / name).read_bytes().decode(errors="replace"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield shown
    finally:
        stop.set()
        watcher.join()


@pytest.mark.parametrize(
    ("label", "roles", "why"),
    [
        ("standalone", ["primary"], "takes part in a replication"),
        ("cluster", ["primary", "replica"], "is in no cluster that works"),
    ],
)
def test_a_false_label_is_refused(bench: Bench, label: str, roles: list[str], why: str) -> None:
    false = {"x": {"topology": label, "roles": roles}}
    want = wanted("sysbench", subjects=false, port=bench.nodes[roles[0]][0].port)
    with pytest.raises(ChecksFailed, match=why):
        benchmark("sysbench").prepare(bench.context, want, "x")


def test_fewer_threads_than_servers_leave_one_out(bench: Bench) -> None:
    with pytest.raises(ChecksFailed, match="served next to none of the reads"):
        measured(bench, "sysbench", "all-writers", threads=1)


def test_a_refused_login_is_told_in_the_words_of_the_server(bench: Bench) -> None:
    wrong = dataclasses.replace(bench.context, secret=lambda name: "wrong-password")
    want = wanted("sysbench", port=bench.nodes["standalone"][0].port)
    with pytest.raises(ChecksFailed, match="Access denied"):
        benchmark("sysbench").prepare(wrong, want, "standalone")


def test_sysbench_that_fails_is_an_error_with_its_own_words(bench: Bench) -> None:
    want = wanted("sysbench", port=bench.nodes["standalone"][0].port)
    with pytest.raises(ChecksFailed, match=r"ended with status 1.*sbtest1' doesn't exist"):
        benchmark("sysbench").measure(bench.context, want, "standalone")


def test_a_stop_ends_the_tool_at_once(bench: Bench) -> None:
    want = wanted("sysbench", port=bench.nodes["standalone"][0].port, seconds="600s")
    kind = benchmark("sysbench")
    stop = threading.Event()
    stopped = dataclasses.replace(bench.context, cancelled=stop)
    kind.prepare(bench.context, want, "standalone")
    try:
        timer = threading.Timer(1.0, stop.set)
        timer.start()
        with pytest.raises(Interrupted):
            kind.measure(stopped, want, "standalone")
        files = bench.home / ".labctl" / "bench-test"
        eventually(lambda: not list(files.iterdir()), "the password is gone with the tool")
    finally:
        kind.clean_up(bench.context, want, "standalone")
    (node,) = bench.nodes["standalone"]
    assert node.ask_as_root("SHOW TABLES FROM sbtest") == []
