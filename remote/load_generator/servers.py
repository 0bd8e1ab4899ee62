"""What database servers say of themselves: version, settings, and how much they have done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pymysql

CONNECT_S = 10
ANSWER_S = 600
_VARIABLES = (
    "version",
    "version_comment",
    "innodb_flush_log_at_trx_commit",
    "sync_binlog",
    "innodb_buffer_pool_size",
    "log_bin",
    "wsrep_on",
    "read_only",
    "hostname",
    "server_id",
)
COUNTERS = (
    "Com_select",
    "Com_insert",
    "Com_update",
    "Com_delete",
    "Com_commit",
    "Questions",
    "Handler_write",
    "Handler_update",
    "Handler_delete",
    "wsrep_replicated",
    "wsrep_received",
)
_STATES = (
    "Slave_running",
    "Slaves_connected",
    "Slaves_running",
    "wsrep_cluster_size",
    "wsrep_cluster_status",
    "wsrep_cluster_state_uuid",
    "wsrep_ready",
)

Account = Mapping[str, str]


def connect(server: str, account: Account, **options: Any) -> pymysql.Connection[Any]:  # noqa: ANN401 - pymysql's
    """Return a connection to `address:port`."""
    host, _, port = server.rpartition(":")
    return pymysql.connect(
        host=host,
        port=int(port),
        user=account["user"],
        password=account["password"],
        database=account.get("database"),
        connect_timeout=CONNECT_S,
        read_timeout=ANSWER_S,
        write_timeout=ANSWER_S,
        **options,
    )


def state(servers: Mapping[str, str], account: Account) -> dict[str, Any]:
    """Return settings, counters, states and tables of every server, by name."""
    return {"servers": {name: _of(server, account) for name, server in servers.items()}}


def _of(server: str, account: Account) -> dict[str, Any]:
    with connect(server, account) as connection, connection.cursor() as cursor:
        variables = _listed(cursor, "SHOW GLOBAL VARIABLES")
        status = _listed(cursor, "SHOW GLOBAL STATUS")
        cursor.execute(
            "SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s",
            [account.get("database", "")],
        )
        engines = dict(cursor.fetchall())
        rows = 0
        if "sbtest1" in engines:
            cursor.execute("SELECT COUNT(*) FROM sbtest1")
            rows = cursor.fetchone()[0]
    return {
        "variables": {name: variables.get(name, "") for name in _VARIABLES},
        "counters": {name: int(status.get(name) or 0) for name in COUNTERS},
        "states": {name: status.get(name, "") for name in _STATES},
        "engines": engines,
        "rows": rows,
    }


def _listed(cursor: Any, statement: str) -> dict[str, str]:  # noqa: ANN401 - pymysql's
    cursor.execute(statement)
    return dict(cursor.fetchall())
