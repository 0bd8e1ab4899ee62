"""Asks the node of this machine as root: `python -m mariadb_node.query`, a statement on input.

Writes the rows as a list of JSON objects. Who may log in on the machine as its user is root of
its server; over the network nobody is.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pymysql

from mariadb_node.server import root_connection


def main() -> int:
    """Run the statement; 1 with the error on standard error when it fails."""
    statement = sys.stdin.read()
    os.chdir(os.environ.get("FOLDER") or Path.home() / ".labctl" / "data" / "mariadb")
    try:
        with root_connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall()
    except pymysql.err.MySQLError as error:
        sys.stderr.write(": ".join(map(str, error.args[:2])) + "\n")
        return 1
    json.dump(list(rows), sys.stdout, default=str)
    return 0


if __name__ == "__main__":
    sys.exit(main())
