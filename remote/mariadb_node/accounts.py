"""Makes the accounts of a server, each with the least rights and the secret of its name."""

from __future__ import annotations

import hashlib

from mariadb_node.server import root_connection
from mariadb_node.settings import Settings

DATABASES = ("sakila", "sbtest")
_RIGHTS = {
    "reader": "SELECT ON sakila.*",
    "writer": "SELECT, INSERT, UPDATE, DELETE ON sakila.*",
    "bench": "ALL ON sbtest.*",
    "monitor": "SLAVE MONITOR, BINLOG MONITOR ON *.*",
    "replication": "REPLICATION SLAVE ON *.*",
}


def make_databases() -> None:
    """Make the databases on a node that writes; the others get them from it."""
    with root_connection() as connection, connection.cursor() as cursor:
        for name in DATABASES:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4")


def make_accounts(settings: Settings) -> None:
    """Make or mend the accounts whose secrets this node was given.

    Each node does this for itself, apart from what replication carries: a replica can be asked
    before it has caught up. In a cluster every node has what one does.
    """
    with root_connection() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_log_bin = 0")
        for account, rights in _RIGHTS.items():
            password = settings.secret(account)
            if not password:
                continue
            cursor.execute("CREATE USER IF NOT EXISTS %s@'%%'", [account])
            known = [account, _proof_of(password)]
            cursor.execute("ALTER USER %s@'%%' IDENTIFIED BY PASSWORD %s", known)
            cursor.execute(f"GRANT {rights} TO %s@'%%'", [account])


def _proof_of(password: str) -> str:
    """Return what the server keeps of a password: a cluster writes down each statement."""
    twice = hashlib.sha1(hashlib.sha1(password.encode()).digest())
    return f"*{twice.hexdigest().upper()}"
