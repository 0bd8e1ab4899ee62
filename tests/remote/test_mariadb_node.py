"""The MariaDB agent on real servers: each topology comes up, survives kills, and keeps its walls.

One test a topology: to start one costs more than all that is asked of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pymysql
import pytest

from mariadb_node.rental_tables import TABLES
from mariadb_node.settings import Settings, SettingsError
from tests.databases.nodes import (
    Node,
    cluster,
    needs_mariadb,
    prepare,
    replicated,
    standalone,
)
from tests.remote.waiting import eventually

FILMS = 30
DENIED = pymysql.err.OperationalError, pymysql.err.ProgrammingError


@needs_mariadb
def test_accounts_and_walls(tmp_path: Path) -> None:
    with standalone(tmp_path, BUFFER_POOL="32M", FLUSH_AT_COMMIT="2") as node:
        node.ask("CREATE TABLE sbtest.t (id INT PRIMARY KEY)", account="bench")
        node.ask_as_root("CREATE TABLE sakila.t (id INT PRIMARY KEY)")
        node.ask("INSERT INTO sakila.t VALUES (1)", account="writer")
        assert node.ask("SELECT id FROM sakila.t", account="reader") == [{"id": 1}]
        refused = [
            ("reader", "INSERT INTO sakila.t VALUES (2)"),
            ("reader", "SELECT * FROM mysql.user"),
            ("reader", "SELECT * FROM sbtest.t"),
            ("reader", "SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/x'"),
            ("writer", "DROP TABLE sakila.t"),
            ("writer", "SELECT 1 INTO OUTFILE '/tmp/labctl-must-not-be'"),
            ("monitor", "SELECT * FROM sakila.t"),
            ("replication", "SELECT * FROM sakila.t"),
            ("bench", "SELECT * FROM sakila.t"),
        ]
        for account, statement in refused:
            with pytest.raises(DENIED):
                node.ask(statement, account=account)
        _root_is_only_here(node)
        _nothing_shows_a_password(node)
        _listens_on_its_address_only(node)
        variables = node.ask_as_root(
            "SELECT @@innodb_buffer_pool_size AS pool, @@innodb_flush_log_at_trx_commit AS flush,"
            " @@local_infile AS loads, @@skip_name_resolve AS names, @@performance_schema AS perf"
        )
        assert variables == [{"pool": 32 * 2**20, "flush": 2, "loads": 0, "names": 1, "perf": 0}]
        assert node.stop() == 0
        assert "Shutdown complete" in node.server_log


def _root_is_only_here(node: Node) -> None:
    with pytest.raises(DENIED):
        pymysql.connect(host=node.address, port=node.port, user="root", password="")
    with pytest.raises(DENIED):
        pymysql.connect(host=node.address, port=node.port, user="reader", password="")
    assert (node.home / ".labctl/data/mariadb").stat().st_mode & 0o777 == 0o700


def _nothing_shows_a_password(node: Node) -> None:
    (options,) = (node.home / ".labctl/data/mariadb").glob("*.cnf")
    assert options.stat().st_mode & 0o777 == 0o600
    command = Path(f"/proc/{node.server_pid}/cmdline").read_text()
    shown = node.log.read_text() + options.read_text() + command
    shown += node.server_log
    for secret in node.secrets.iterdir():
        assert secret.read_text() not in shown


def _listens_on_its_address_only(node: Node) -> None:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [line.split()[1] for line in lines if line.split()[3] == "0A"]
    at_port = {place[:8] for place in listening if place.endswith(f":{node.port:04X}")}
    assert at_port == {"".join(f"{int(part):02X}" for part in reversed(node.address.split(".")))}


@needs_mariadb
def test_replicas_follow_and_come_back(tmp_path: Path) -> None:
    prepare(tmp_path, "primary", FILMS)
    with replicated(tmp_path, replicas=2, FILMS=str(FILMS)) as (primary, *replicas):
        _have_all_films(replicas)
        primary.ask_as_root("CREATE TABLE sakila.t (id INT PRIMARY KEY)")
        _insert(primary, 1)
        _everywhere(replicas, [1])
        with pytest.raises(pymysql.err.OperationalError, match="read-only"):
            _insert(replicas[0], 9)
        (state,) = replicas[0].ask("SHOW SLAVE STATUS", account="monitor")
        assert state["Using_Gtid"] == "Slave_Pos"

        replicas[0].kill()
        _insert(primary, 2)
        replicas[0].start()
        replicas[0].wait_ready()
        _everywhere(replicas, [1, 2])

        primary.kill_server()
        assert primary.process is not None
        assert primary.process.wait(timeout=30) == 1, "the service manager must see that it ended"
        primary.start()
        primary.wait_ready()
        _insert(primary, 3)
        _everywhere(replicas, [1, 2, 3])


@needs_mariadb
def test_a_cluster_survives_the_end_of_all_its_nodes(tmp_path: Path) -> None:
    prepare(tmp_path, "cluster", FILMS)
    with cluster(tmp_path, nodes=3, FILMS=str(FILMS)) as nodes:
        assert [node.status("wsrep_cluster_size") for node in nodes] == ["3"] * 3
        _began_together(nodes)
        _no_data_holds_a_password(nodes[0])
        nodes[0].ask_as_root("CREATE TABLE sakila.t (id INT PRIMARY KEY)")
        for number, node in enumerate(nodes):
            _insert(node, number)
        _everywhere(nodes, [0, 1, 2])

        nodes[0].kill()  # the one that began: it must join the others, not begin again
        _insert_once_it_may(nodes[1], 3)
        nodes[0].start()
        nodes[0].wait_ready()
        _everywhere(nodes, [0, 1, 2, 3])

        for node in nodes:
            assert node.stop() == 0
        _start_all(nodes)
        _everywhere(nodes, [0, 1, 2, 3])

        nodes[2].kill()
        _insert_once_it_may(nodes[0], 4)
        for node in nodes[:2]:
            node.kill()
        _start_all(nodes)  # the last one lacks what the others have: it must not begin
        _everywhere(nodes, [0, 1, 2, 3, 4])
        assert nodes[2].status("wsrep_cluster_size") == "3"


def _began_together(nodes: Sequence[Node]) -> None:
    """Fail when a node was sent the data, which it had, or made it again."""
    for node in nodes:
        assert '"way": "together"' in node.log.read_text()
        assert '"loaded"' not in node.log.read_text(), "its data was prepared"
        assert "State transfer required" not in node.server_log
        (row,) = node.ask("SELECT COUNT(*) AS n FROM sakila.film", account="reader")
        assert row["n"] == FILMS


def _no_data_holds_a_password(node: Node) -> None:
    secrets = [path.read_bytes() for path in node.secrets.iterdir()]
    for path in (node.home / ".labctl/data/mariadb/data").rglob("*"):
        held = path.read_bytes() if path.is_file() else b""
        assert not any(secret in held for secret in secrets), path


def _start_all(nodes: Sequence[Node]) -> None:
    for node in nodes:
        node.start()
    for node in nodes:
        node.wait_ready()


def _have_all_films(nodes: Sequence[Node]) -> None:
    """Fail when a replica does not get what its primary began with."""
    counted = "SELECT COUNT(*) AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'sakila'"
    asked = "SELECT COUNT(*) AS n FROM sakila.film"

    def all_there() -> bool:
        tables = [node.ask(counted, account="reader")[0]["n"] for node in nodes]
        return set(tables) == {len(TABLES)} and all(
            node.ask(asked, account="reader")[0]["n"] == FILMS for node in nodes
        )

    eventually(all_there, "every replica has the films of its primary")


def _insert(node: Node, number: int) -> None:
    node.ask(f"INSERT INTO sakila.t VALUES ({number})", account="writer")


def _insert_once_it_may(node: Node, number: int) -> None:
    """Insert a row; a cluster takes none until it has noticed that a node is gone."""

    def inserted() -> bool:
        try:
            _insert(node, number)
        except pymysql.err.IntegrityError:
            return True  # the answer to an earlier try was an error, and yet it was done
        except pymysql.err.OperationalError:
            return False
        return True

    eventually(inserted, f"{node.address} takes a row")


def _ids(node: Node) -> list[int]:
    return [row["id"] for row in node.ask("SELECT id FROM sakila.t ORDER BY id", account="reader")]


def _everywhere(nodes: Sequence[Node], wanted: list[int]) -> None:
    eventually(
        lambda: all(_ids(node) == wanted for node in nodes), f"every node has the rows {wanted}"
    )


@pytest.mark.parametrize(
    ("environment", "role"),
    [
        ({}, "standalone"),
        ({"PRIMARY": "127.1.2.3"}, "primary"),
        ({"PRIMARY": "127.1.2.4"}, "replica"),
        ({"NODES": "127.1.2.4,127.1.2.3"}, "cluster"),
    ],
)
def test_a_node_finds_its_role(environment: dict[str, str], role: str) -> None:
    settings = Settings.from_environment({"LABCTL_ADDRESS": "127.1.2.3", **environment})
    assert settings.role == role


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"PRIMARY": ""}, "no primary"),
        ({"PRIMARY": "127.1.2.3", "NODES": "127.1.2.3"}, "one topology"),
        ({"NODES": "127.1.2.9"}, "not among NODES"),
        ({"PORT": "99999"}, "PORT"),
        ({"FILMS": "many"}, "FILMS"),
    ],
)
def test_a_node_refuses_what_it_cannot_be(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Settings.from_environment({"LABCTL_ADDRESS": "127.1.2.3", **environment})
