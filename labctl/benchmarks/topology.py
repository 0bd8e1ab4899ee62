"""Holds a run to its label: what the servers say of themselves, and what they counted.

A run labelled as replicated or as a cluster that did not touch one is an error, not a figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Topology = Literal["standalone", "replicated", "cluster"]
Counters = Mapping[str, int]

_MOST_MISSING = 0.1  # of what the tool says it did
_LEAST_APPLIED = 0.01
_APPLIED = ("Handler_write", "Handler_update", "Handler_delete")
_KEPT = ("Com_select", "Com_insert", "Com_update", "Com_delete", "Com_commit", "Questions")


@dataclass(frozen=True)
class Server:
    """One server as it told of itself, by the load generator's `state`."""

    name: str
    variables: Mapping[str, str]
    counters: Counters
    states: Mapping[str, str]
    engines: Mapping[str, str]
    rows: int

    @property
    def version(self) -> str:
        return self.variables["version"]

    @property
    def engine(self) -> str:
        """What serves the tables: server and storage engine."""
        made = "MariaDB" if "mariadb" in self.variables["version"].lower() else "MySQL"
        galera = f", Galera of {self.states['wsrep_cluster_size']}" if self.is_galera else ""
        kinds = ", ".join(sorted(set(self.engines.values()))) or "no table"
        return f"{made} {kinds}{galera}"

    @property
    def is_galera(self) -> bool:
        return self.states["wsrep_cluster_size"] not in ("", "0")

    @property
    def settings(self) -> dict[str, str]:
        """Those that decide the figures."""
        pool = int(self.variables["innodb_buffer_pool_size"] or 0)
        return {
            "flush at commit": self.variables["innodb_flush_log_at_trx_commit"],
            "sync binlog": self.variables["sync_binlog"],
            "binlog": self.variables["log_bin"],
            "buffer pool": f"{pool / 2**20:.0f} MiB",
        }


def servers_of(answer: Mapping[str, Any]) -> list[Server]:
    """Return the servers of the load generator's answer, in its order."""
    return [Server(name=name, **told) for name, told in answer["servers"].items()]


def mislabelled(topology: Topology, servers: Sequence[Server]) -> str:
    """Return why servers are not what they are labelled as; empty when they are."""
    match topology:
        case "standalone":
            return _not_alone(servers)
        case "replicated":
            return _not_replicated(servers)
        case "cluster":
            return _no_cluster(servers)


def _not_alone(servers: Sequence[Server]) -> str:
    if len(servers) != 1:
        return f"{len(servers)} servers are not one standalone server"
    (server,) = servers
    if server.is_galera:
        return f"{server.name} is a node of a cluster"
    if server.states["Slave_running"] == "ON" or int(server.states["Slaves_connected"] or 0):
        return f"{server.name} takes part in a replication"
    return ""


def _not_replicated(servers: Sequence[Server]) -> str:
    if len(servers) < 2:
        return "one server alone is no replication: it takes a primary and a replica"
    primary, *replicas = servers
    idle = [each.name for each in replicas if each.states["Slave_running"] != "ON"]
    if idle:
        return f"{', '.join(idle)} does not follow a primary (Slave_running is not ON)"
    if int(primary.states["Slaves_connected"] or 0) < len(replicas):
        told = primary.states["Slaves_connected"] or 0
        return f"{primary.name} has {told} replicas connected, not {len(replicas)}"
    return ""


def _no_cluster(servers: Sequence[Server]) -> str:
    if len(servers) < 2:
        return "one server alone is no cluster"
    for server in servers:
        states = server.states
        if states["wsrep_ready"] != "ON" or states["wsrep_cluster_status"] != "Primary":
            return f"{server.name} is in no cluster that works (wsrep_ready is not ON)"
        if states["wsrep_cluster_size"] != str(len(servers)):
            size = states["wsrep_cluster_size"]
            return f"{server.name} is in a cluster of {size}, not of {len(servers)}"
    if len({server.states["wsrep_cluster_state_uuid"] for server in servers}) != 1:
        return "the servers are not in one cluster"
    return ""


def grown(before: Sequence[Server], after: Sequence[Server]) -> dict[str, dict[str, int]]:
    """Return by how much each server's counters grew."""
    return growth(
        {server.name: server.counters for server in before},
        {server.name: server.counters for server in after},
    )


def growth(
    before: Mapping[str, Counters], after: Mapping[str, Counters]
) -> dict[str, dict[str, int]]:
    """Return by how much counters grew, by server; one that was started anew counts from 0."""
    found = {}
    for server, counters in after.items():
        since = before.get(server, {})
        found[server] = {
            name: count - since.get(name, 0) if count >= since.get(name, 0) else count
            for name, count in counters.items()
        }
    return found


def untouched(
    topology: Topology,
    growth: Mapping[str, Counters],
    *,
    sent_to: Sequence[str],
    reads: float,
    writes: float,
) -> str:
    """Return why a round did not touch what it is labelled as; empty when it did.

    `reads` and `writes` are what the tool says it did, `sent_to` the servers that it used.
    """
    selected = sum(growth[name]["Com_select"] for name in sent_to)
    if selected < reads * (1 - _MOST_MISSING):
        return f"the servers counted {selected} reads of the {reads:.0f} that were sent"
    for name in sent_to:
        if growth[name]["Com_select"] < reads / len(sent_to) / 10:
            return f"{name} served next to none of the reads ({growth[name]['Com_select']})"
    if not writes:
        return ""
    written = sum(_written(growth[name]) for name in sent_to)
    if written < writes * (1 - _MOST_MISSING):
        return f"the servers counted {written} writes of the {writes:.0f} that were sent"
    return _not_passed_on(topology, growth, sent_to=sent_to, writes=writes)


def _written(growth: Counters) -> int:
    return sum(growth[f"Com_{what}"] for what in ("insert", "update", "delete"))


def _not_passed_on(
    topology: Topology, growth: Mapping[str, Counters], *, sent_to: Sequence[str], writes: float
) -> str:
    """Return which other node took over none of the writes; a replica may lag behind."""
    if topology == "cluster" and not sum(growth[name]["wsrep_replicated"] for name in sent_to):
        return "no write was replicated to the cluster (wsrep_replicated did not grow)"
    for name, counters in growth.items():
        alone = name in sent_to and len(sent_to) == 1
        if topology == "cluster" and not alone and not counters["wsrep_received"]:
            return f"{name} received no write of the cluster (wsrep_received did not grow)"
        if topology == "replicated" and name not in sent_to:
            applied = sum(counters[what] for what in _APPLIED)
            if applied < writes * _LEAST_APPLIED:
                return f"{name} applied next to none of the primary's writes ({applied})"
    return ""


def shown(growth: Mapping[str, Counters]) -> dict[str, dict[str, int]]:
    """Return of each server's growth what a reader wants to see beside a figure."""
    also = ("wsrep_replicated", "wsrep_received")
    return {
        name: {
            what: count
            for what, count in counters.items()
            if what in _KEPT or (what in also and count)
        }
        for name, counters in growth.items()
    }
