"""Asks another node's server over the network whether it is at work."""

from __future__ import annotations

import pymysql

from mariadb_node.settings import Settings

_ANSWER_S = 2.0


def takes_queries(settings: Settings, address: str, account: str) -> bool:
    """Tell whether a node's server answers a query of an account, which this node knows too."""
    try:
        connection = pymysql.connect(
            host=address,
            port=settings.port,
            user=account,
            password=settings.needed_secret(account),
            connect_timeout=_ANSWER_S,
            read_timeout=_ANSWER_S,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except pymysql.err.MySQLError:
        return False
    return True
