"""Gatekeeper, trusted host and proxy before real servers: who serves what, and what kills do.

One test, for to start the servers costs more than all that is asked of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.request import urlopen

from pymysql.cursors import Cursor

from tests.databases.nodes import Node, needs_mariadb, replicated
from tests.patterns.corpus import TABLES, honest
from tests.patterns.services import Answer, Chain, ask, chain, health
from tests.remote.waiting import eventually
from trusted_host.guard import Accepted, decide

COUNT = "SELECT COUNT(*) FROM film"


@needs_mariadb
def test_the_whole_chain_on_real_servers(tmp_path: Path) -> None:
    with replicated(tmp_path, replicas=2, FILMS="60", BUFFER_POOL="32M") as nodes:
        _honest_queries_mean_the_same_when_written_anew(nodes[0])
        with chain(nodes, MAX_SECONDS="1") as hops:
            _each_mode_is_served_by_the_right_node(nodes, hops)
            _a_write_is_committed_and_read_back(hops)
            _limits_hold(hops.proxy)
            _what_is_refused_reaches_no_server(nodes, hops)
            _it_counts_what_it_does(hops.proxy)
            _a_dead_replica_is_left_out_and_taken_back(nodes, hops)
            _a_dead_primary_is_said(nodes, hops)


def _honest_queries_mean_the_same_when_written_anew(primary: Node) -> None:
    for mode, query in honest():
        decision = decide(query, mode, tables=TABLES)
        assert isinstance(decision, Accepted)
        account = "writer" if mode == "write" else "reader"
        with primary.connect(account, database="sakila") as connection:
            connection.autocommit(False)
            found = []
            for text in (query.removesuffix(";"), decision.sql):
                with connection.cursor(Cursor) as cursor:
                    found.append((cursor.execute(text), cursor.fetchall()))
                connection.rollback()
        if "NOW()" not in query:
            assert found[0] == found[1], decision.sql


def _selects(nodes: Sequence[Node]) -> list[int]:
    return [int(node.status("Com_select")) for node in nodes]


def _served(nodes: Sequence[Node], act: Callable[[], None]) -> list[int]:
    """Return how many SELECTs each server counted meanwhile, those of the looks left out."""
    before = _selects(nodes)
    act()
    return [now - then for now, then in zip(_selects(nodes), before, strict=True)]


def _each_mode_is_served_by_the_right_node(nodes: Sequence[Node], hops: Chain) -> None:
    asked = 200
    answers: list[Answer] = []

    def many(mode: str) -> Callable[[], None]:
        def act() -> None:
            answers[:] = [ask(hops.gatekeeper, mode, COUNT) for _ in range(asked)]
            assert {each.status for each in answers} == {200}
            assert {tuple(each.body["rows"][0]) for each in answers} == {(60,)}

        return act

    # The looks at a server are SELECTs, too: two a second, far fewer than these.
    direct = _served(nodes, many("direct-hit"))
    assert {each.body["node"] for each in answers} == {"primary"}
    assert direct[0] >= asked > 2 * max(direct[1:])
    chance = _served(nodes, many("random"))
    names = [each.body["node"] for each in answers]
    assert set(names) == {"replica.0", "replica.1"}
    for index, served in enumerate(chance[1:]):
        assert served >= names.count(f"replica.{index}") > asked / 5
    assert chance[0] < asked / 2
    custom = _served(nodes, many("customized"))
    names = [each.body["node"] for each in answers]
    for index, name in enumerate(("primary", "replica.0", "replica.1")):
        assert custom[index] >= names.count(name)


def _a_write_is_committed_and_read_back(hops: Chain) -> None:
    for number in range(20):
        wrote = ask(
            hops.gatekeeper,
            "write",
            f"INSERT INTO actor (first_name, last_name) VALUES ('READ', 'BACK {number}')",
        )
        assert (wrote.status, wrote.body["node"], wrote.body["changed"]) == (200, "primary", 1)
        read = ask(
            hops.gatekeeper,
            "random",
            f"SELECT last_name FROM actor WHERE actor_id = {wrote.body['last_id']}",
            after=wrote.body["position"],
        )
        assert read.body["rows"] == [[f"BACK {number}"]]
        assert read.body["node"].startswith("replica.")
    never = ask(hops.gatekeeper, "random", COUNT, after="0-1-999999999")
    assert never.body["node"] == "primary"
    assert "had not caught up" in never.body["notes"][0]
    assert ask(hops.gatekeeper, "random", COUNT, after="'; SELECT 1").status == 400


def _limits_hold(proxy: str) -> None:
    """Ask the proxy itself, as if the guard had let everything through."""
    many = ask(proxy, "direct-hit", "SELECT seq FROM seq_1_to_1000000")
    assert (len(many.body["rows"]), many.body["truncated"]) == (1000, True)
    wide = ask(proxy, "direct-hit", "SELECT REPEAT('x', 100000) FROM seq_1_to_50")
    assert (len(wide.body["rows"]), wide.body["truncated"]) == (9, True)
    slow = ask(proxy, "direct-hit", "SELECT SLEEP(30)")
    assert (slow.status, "max_statement_time" in slow.error) == (504, True)
    two = ask(proxy, "direct-hit", "SELECT 1; SELECT 2")
    assert (two.status, "SQL syntax" in two.error) == (400, True)
    for query in ("DELETE FROM film", "SELECT * FROM mysql.user", "SELECT 1 INTO OUTFILE '/tmp/x'"):
        assert ask(proxy, "direct-hit", query).status == 403
    mass = ask(proxy, "write", "UPDATE rental SET return_date = NOW() WHERE rental_id > 0")
    assert mass.status in (200, 403)  # as many rentals as the data set has
    twice = ask(
        proxy, "write", "INSERT INTO actor (actor_id, first_name, last_name) VALUES (1, 'A', 'B')"
    )
    assert (twice.status, "Duplicate" in twice.error) == (400, True)
    assert ask(proxy, "direct-hit", "SELECT 1").body["rows"] == [[1]]


def _what_is_refused_reaches_no_server(nodes: Sequence[Node], hops: Chain) -> None:
    def attack() -> None:
        for query in ("SELECT SLEEP(1)", "SELECT * FROM staff", "SELECT 1; SELECT 2"):
            for mode in ("direct-hit", "random", "customized"):
                assert ask(hops.gatekeeper, mode, query).status == 403

    for _ in range(10):  # a look may fall in between
        if max(_served(nodes, attack)) < 9:
            return
    raise AssertionError("the servers counted what was refused")


def _it_counts_what_it_does(proxy: str) -> None:
    with urlopen(f"{proxy}/metrics") as answer:
        told = answer.read().decode()
    assert 'labctl_proxy_requests_total{mode="direct-hit",node="primary",status="200"}' in told
    assert 'labctl_proxy_request_seconds_bucket{mode="write",le="+Inf"}' in told
    assert 'labctl_proxy_server_live{node="replica.1"} 1' in told
    seen = health(proxy)
    assert (seen.status, seen.body["ok"]) == (200, True)


def _used(proxy: str) -> list[str]:
    return [name for name, each in health(proxy).body["servers"].items() if each["used"]]


def _a_dead_replica_is_left_out_and_taken_back(nodes: Sequence[Node], hops: Chain) -> None:
    nodes[1].kill()
    for _ in range(30):
        answer = ask(hops.gatekeeper, "random", COUNT)
        assert (answer.status, answer.body["node"]) == (200, "replica.1")
    assert _used(hops.proxy) == ["primary", "replica.1"]
    assert health(hops.proxy).body["ok"] is False
    nodes[1].start()
    eventually(lambda: len(_used(hops.proxy)) == 3, "the replica is taken back", 60)
    eventually(
        lambda: ask(hops.gatekeeper, "random", COUNT).body["node"] == "replica.0",
        "the replica serves again",
    )


def _a_dead_primary_is_said(nodes: Sequence[Node], hops: Chain) -> None:
    change = "UPDATE film SET length = 1 WHERE film_id = 1"
    nodes[0].kill()
    for query, mode in ((change, "write"), (COUNT, "direct-hit"), (change, "write")):
        answer = ask(hops.gatekeeper, mode, query)
        assert (answer.status, "the primary is not live" in answer.error) == (503, True)
    assert "promotes no replica" in ask(hops.gatekeeper, "write", change).error
    for mode in ("random", "customized"):
        assert ask(hops.gatekeeper, mode, COUNT).body["node"].startswith("replica.")
    assert health(hops.proxy).body["writes"] is False
    nodes[0].start()
    eventually(lambda: health(hops.proxy).body["writes"], "the primary is taken back", 60)
    assert ask(hops.gatekeeper, "write", change).status == 200
