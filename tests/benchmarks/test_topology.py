"""A run is held to its label: what servers say of themselves, and what they counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.benchmarks.counted import READS, WRITES, not_counted
from labctl.benchmarks.topology import Server, Topology, grown, mislabelled, shown, untouched
from load_generator.servers import COUNTERS

ALONE = {
    "Slave_running": "OFF",
    "Slaves_connected": "0",
    "wsrep_cluster_size": "0",
    "wsrep_cluster_status": "Disconnected",
    "wsrep_cluster_state_uuid": "",
    "wsrep_ready": "OFF",
}
PRIMARY = {**ALONE, "Slaves_connected": "1"}
REPLICA = {**ALONE, "Slave_running": "ON"}
GALERA = {
    **ALONE,
    "wsrep_cluster_size": "2",
    "wsrep_cluster_status": "Primary",
    "wsrep_cluster_state_uuid": "one",
    "wsrep_ready": "ON",
}


def server(name: str, states: dict[str, str], **counters: int) -> Server:
    return Server(
        name=name,
        variables={"version": "10.11.19-MariaDB", "innodb_buffer_pool_size": "67108864"},
        counters={**dict.fromkeys(COUNTERS, 0), **counters},
        states=states,
        engines={"sbtest1": "InnoDB"},
        rows=0,
    )


@pytest.mark.parametrize(
    ("label", "states"),
    [("standalone", [ALONE]), ("replicated", [PRIMARY, REPLICA]), ("cluster", [GALERA, GALERA])],
)
def test_what_is_what_it_says_may_be_measured(
    label: Topology, states: list[dict[str, str]]
) -> None:
    assert mislabelled(label, [server(f"node.{n}", each) for n, each in enumerate(states)]) == ""


@pytest.mark.parametrize(
    ("label", "states", "why"),
    [
        ("standalone", [GALERA], "node of a cluster"),
        ("standalone", [PRIMARY], "takes part in a replication"),
        ("standalone", [REPLICA], "takes part in a replication"),
        ("standalone", [ALONE, ALONE], "not one standalone"),
        ("replicated", [ALONE], "no replication"),
        ("replicated", [PRIMARY, ALONE], "node.1 does not follow"),
        ("replicated", [ALONE, REPLICA], "has 0 replicas connected"),
        ("cluster", [GALERA], "no cluster"),
        ("cluster", [ALONE, ALONE], "in no cluster that works"),
        ("cluster", [GALERA, {**GALERA, "wsrep_ready": "OFF"}], "node.1 is in no cluster"),
        ("cluster", [GALERA, GALERA, GALERA], "a cluster of 2, not of 3"),
        ("cluster", [GALERA, {**GALERA, "wsrep_cluster_state_uuid": "two"}], "not in one cluster"),
    ],
)
def test_what_is_not_what_it_says_is_told(
    label: Topology, states: list[dict[str, str]], why: str
) -> None:
    servers = [server(f"node.{n}", each) for n, each in enumerate(states)]
    assert why in mislabelled(label, servers)


def counted(**nodes: dict[str, int]) -> dict[str, dict[str, int]]:
    return {name: {**dict.fromkeys(COUNTERS, 0), **counts} for name, counts in nodes.items()}


READ = {"Com_select": 1400}
WROTE = {**READ, "Com_update": 200, "Com_insert": 100, "Com_delete": 100, "wsrep_replicated": 100}
APPLIED = {"Handler_write": 100, "Handler_update": 200}


@pytest.mark.parametrize(
    ("label", "nodes"),
    [
        ("standalone", counted(a=WROTE)),
        ("replicated", counted(a=WROTE, b=APPLIED)),
        ("cluster", counted(a=WROTE, b={"wsrep_received": 100})),
    ],
)
def test_a_round_that_all_counters_show_is_good(
    label: Topology, nodes: dict[str, dict[str, int]]
) -> None:
    assert untouched(label, nodes, sent_to=["a"], reads=1400, writes=400) == ""


@pytest.mark.parametrize(
    ("label", "nodes", "why"),
    [
        ("standalone", counted(a={"Com_select": 14}), "counted 14 reads of the 1400"),
        ("standalone", counted(a=READ), "counted 0 writes of the 400"),
        ("replicated", counted(a=WROTE, b={}), "b applied next to none"),
        ("cluster", counted(a=WROTE, b={}), "b received no write"),
        ("cluster", counted(a={**WROTE, "wsrep_replicated": 0}, b=APPLIED), "no write was replica"),
    ],
)
def test_a_round_that_did_not_touch_what_it_says_is_told(
    label: Topology, nodes: dict[str, dict[str, int]], why: str
) -> None:
    assert why in untouched(label, nodes, sent_to=["a"], reads=1400, writes=400)


def test_each_server_that_is_used_must_have_served() -> None:
    nodes = counted(a={"Com_select": 1390}, b={"Com_select": 10})
    assert "b served next to none" in untouched(
        "cluster", nodes, sent_to=["a", "b"], reads=1400, writes=0
    )


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_server_that_was_started_anew_counts_from_nothing(before: int, after: int) -> None:
    earlier = [server("a", ALONE, Com_select=before)]
    later = [server("a", ALONE, Com_select=after)]
    growth = grown(earlier, later)["a"]["Com_select"]
    assert growth == (after - before if after >= before else after)


def test_what_is_shown_leaves_out_what_nobody_asks() -> None:
    found = shown(counted(a={**READ, "Handler_write": 5}))
    assert found["a"].keys() == {
        "Com_select",
        "Com_insert",
        "Com_update",
        "Com_delete",
        "Com_commit",
        "Questions",
    }


def test_a_server_must_have_counted_the_answers_that_bear_its_name() -> None:
    assert set(READS + WRITES) < set(COUNTERS)
    grown = counted(a={"Com_select": 300}, b={"Com_update": 290, "Com_select": 5})
    assert not_counted({"a": 300, "b": 300}, grown) == ""
    assert "b served them, and it counted 290" in not_counted({"a": 300, "b": 400}, grown)
    assert "c.1 served them, and it counted 0" in not_counted({"c.1": 9}, {"c.0": {}})
    assert not_counted({"web.0": 9}, {}) == "", "where no database server is, nothing is counted"


def test_answers_without_a_count_are_told() -> None:
    assert "it counted 0" in not_counted({"a": 10}, counted(a={"Handler_write": 99}))
