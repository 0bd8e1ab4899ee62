"""The film-rental data: made the same each time, whole, and loaded into a real server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mariadb_node.rental_rows import rows
from mariadb_node.rental_tables import TABLES
from tests.databases.nodes import needs_mariadb, standalone

SAFE = re.compile(r"[A-Za-z0-9 .,:@-]*")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("films", [1, 7, 300])
def test_rows_are_the_same_each_time_and_hold_nothing_to_escape(table: str, films: int) -> None:
    made = list(rows(table, films))
    assert made == list(rows(table, films))
    assert made, "no table is empty"
    assert {len(row) for row in made} == {len(made[0])}
    assert all(SAFE.fullmatch(value) for row in made for value in row if isinstance(value, str))


def test_another_seed_makes_other_films() -> None:
    assert list(rows("film", 50, seed=1)) != list(rows("film", 50, seed=2))


def test_sizes_are_those_of_sakila() -> None:
    counts = {table: sum(1 for _ in rows(table, 1000)) for table in TABLES}
    assert counts["film"] == 1000
    assert counts["actor"] == 200
    assert counts["customer"] == 600
    assert counts["inventory"] == 4600
    assert counts["rental"] == counts["payment"] == 16000


@needs_mariadb
def test_a_server_takes_it_once_and_every_key_leads_somewhere(tmp_path: Path) -> None:
    with standalone(tmp_path, FILMS="300") as node:
        assert '"event": "loaded"' in node.log.read_text()
        for table in TABLES:
            (row,) = node.ask(f"SELECT COUNT(*) AS n FROM sakila.{table}", account="reader")
            assert row["n"] == sum(1 for _ in rows(table, 300)), table
        keys = node.ask_as_root(
            "SELECT TABLE_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME"
            " FROM information_schema.KEY_COLUMN_USAGE"
            " WHERE TABLE_SCHEMA = 'sakila' AND REFERENCED_TABLE_NAME IS NOT NULL"
        )
        assert len(keys) == 22
        for key in keys:
            table, column, other, other_column = key.values()
            (row,) = node.ask(
                f"SELECT COUNT(*) AS n FROM sakila.{table} a LEFT JOIN sakila.{other} b"
                f" ON a.{column} = b.{other_column}"
                f" WHERE a.{column} IS NOT NULL AND b.{other_column} IS NULL",
                account="reader",
            )
            assert row["n"] == 0, key
        assert node.stop() == 0
        node.start()
        node.wait_ready()
        assert '"event": "loaded"' not in node.log.read_text()
