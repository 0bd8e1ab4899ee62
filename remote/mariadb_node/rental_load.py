"""Puts the film-rental data set into a server, once; one that broke off is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from mariadb_node.rental_rows import Row, rows
from mariadb_node.rental_tables import TABLES, definition
from mariadb_node.server import root_connection
from mariadb_node.telling import say

_ROWS_AT_ONCE = 1000


def load_rental_data(films: int) -> None:
    """Fill the database sakila with so many films and what belongs to them, if it is not yet."""
    mark = f"film-rental data of {films} films"
    with root_connection() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT SCHEMA_COMMENT AS mark FROM information_schema.SCHEMATA"
            " WHERE SCHEMA_NAME = 'sakila'"
        )
        if [row["mark"] for row in cursor.fetchall()] == [mark]:
            return
        cursor.execute("SET SESSION foreign_key_checks = 0")
        cursor.execute("SET SESSION unique_checks = 0")
        for table in TABLES:
            cursor.execute(f"DROP TABLE IF EXISTS sakila.{table}")
            cursor.execute(definition(table))
        count = 0
        for table in TABLES:
            connection.begin()  # one commit a table: each waits for the disk
            for statement, size in _inserts(table, films):
                cursor.execute(statement)
                count += size
            connection.commit()
        cursor.execute("ALTER DATABASE sakila COMMENT = %s", [mark])
    say("loaded", films=films, rows=count)


def _inserts(table: str, films: int) -> Iterator[tuple[str, int]]:
    """Yield the statements that fill a table, and how many rows each has."""
    coming = rows(table, films)
    while batch := list(islice(coming, _ROWS_AT_ONCE)):
        values = ",".join(map(_text, batch))
        # The last column, the time of the last change, is the server's.
        columns = ", ".join(column.split()[0] for column in TABLES[table][: len(batch[0])])
        yield f"INSERT INTO sakila.{table} ({columns}) VALUES {values}", len(batch)


def _text(row: Row) -> str:
    """Return a row as SQL; its texts are made up here and hold nothing to escape."""
    words = ["NULL" if value is None else repr(value) for value in row]
    return f"({','.join(words)})"
