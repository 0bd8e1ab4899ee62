"""Has a replica follow its primary, from where it was or from the beginning."""

from __future__ import annotations

from mariadb_node.neighbours import takes_queries
from mariadb_node.server import Server, ServerError
from mariadb_node.settings import Settings
from mariadb_node.waiting import wait_for

_CHANGE = """CHANGE MASTER TO master_host = %s, master_port = %s, master_user = 'replication',
 master_password = %s, master_use_gtid = slave_pos, master_connect_retry = 1,
 master_heartbeat_period = 2"""


def follow(server: Server, settings: Settings) -> None:
    """Point a replica at its primary and wait until both of its threads run."""
    password = settings.needed_secret("replication")
    wait_for(
        lambda: takes_queries(settings, settings.primary, "replication") or None,
        f"the primary {settings.primary}",
    )
    server.ask("STOP SLAVE")
    server.ask(_CHANGE, [settings.primary, settings.port, password])
    server.ask("START SLAVE")
    wait_for(lambda: _runs(server), f"replication from {settings.primary}")


def _runs(server: Server) -> bool | None:
    server.check()
    (state,) = server.ask("SHOW SLAVE STATUS")
    if state["Last_SQL_Errno"]:
        raise ServerError(f"replication stopped: {state['Last_SQL_Error']}")
    running = state["Slave_IO_Running"] == "Yes" and state["Slave_SQL_Running"] == "Yes"
    return True if running else None
