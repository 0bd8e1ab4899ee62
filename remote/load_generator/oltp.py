"""The transactions of sysbench's OLTP workloads in Python, for machines where it is missing.

The same tables, statements and mix, so that figures tell the same story; but the client is slower,
so its figures are not those of sysbench, and are marked everywhere. Ids are chosen evenly (sysbench
by default prefers some), and statements are not prepared on the server.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from multiprocessing import get_context
from threading import BrokenBarrierError
from typing import Any

import pymysql

from load_generator.latencies import summary
from load_generator.servers import Account, connect

_TABLE = """CREATE TABLE sbtest1 (
  id INTEGER NOT NULL, k INTEGER DEFAULT '0' NOT NULL, c CHAR(120) DEFAULT '' NOT NULL,
  pad CHAR(60) DEFAULT '' NOT NULL, PRIMARY KEY (id)) ENGINE = InnoDB"""
_BATCH = 1000
_POINTS = 10
_RANGE = 100
_RETRIED = (1020, 1205, 1213)  # those that sysbench ignores, too


def prepare(server: str, account: Account, table_size: int) -> dict[str, Any]:
    """Make and fill the table anew."""
    clean_up(server, account)
    chance = random.Random()
    with connect(server, account, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(_TABLE)
        for first in range(1, table_size + 1, _BATCH):
            ids = range(first, min(first + _BATCH, table_size + 1))
            rows = [(id, chance.randint(1, table_size), _text(10), _text(5)) for id in ids]
            cursor.executemany("INSERT INTO sbtest1 (id, k, c, pad) VALUES (%s, %s, %s, %s)", rows)
        cursor.execute("CREATE INDEX k_1 ON sbtest1 (k)")
    return {"rows": table_size}


def clean_up(server: str, account: Account) -> dict[str, Any]:
    """Drop the table."""
    with connect(server, account, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS sbtest1")
    return {"dropped": "sbtest1"}


def run(
    servers: Sequence[str],
    account: Account,
    *,
    writes: bool,
    threads: int,
    table_size: int,
    warm_up_s: float,
    seconds: float,
) -> dict[str, Any]:
    """Run transactions from so many processes and return counts, rate and latencies.

    Servers take turns, as with sysbench; what the warm-up did is not counted.
    """
    for server in servers:
        connect(server, account).close()  # a wrong one is told here, not by who waits for it
    context = get_context("fork")
    started = context.Barrier(threads)
    with context.Pool(threads, initializer=_take, initargs=(started,)) as pool:
        waiting = [
            pool.apply_async(
                _work,
                (servers[number % len(servers)], account, writes, table_size, warm_up_s, seconds),
            )
            for number in range(threads)
        ]
        ended = _all_of(waiting, within_s=warm_up_s + seconds + 60)
    latencies = [latency for each in ended for latency in each["latencies_ms"]]
    took = max(each["took_s"] for each in ended)
    return {
        "per_s": len(latencies) / took,
        "seconds": took,
        "latency_ms": summary(latencies),
        "counts": {
            "transactions": len(latencies),
            "queries": len(latencies) * (20 if writes else 16),
            "reads": len(latencies) * 14,
            "writes": len(latencies) * (4 if writes else 0),
            "errors": sum(each["errors"] for each in ended),
        },
    }


def _all_of(waiting: Sequence[Any], *, within_s: float) -> list[dict[str, Any]]:
    """Return what every process gave; raises what went wrong first, not that others waited."""
    ended: list[dict[str, Any]] = []
    errors: list[Exception] = []
    for each in waiting:
        try:
            ended.append(each.get(timeout=within_s))
        except BrokenBarrierError as error:
            errors.append(error)
        except pymysql.err.MySQLError as error:
            errors.insert(0, error)
    if errors:
        raise errors[0]
    return ended


_started: Any = None


def _take(started: Any) -> None:  # noqa: ANN401 - a barrier of multiprocessing
    global _started
    _started = started


def _work(
    server: str,
    account: Account,
    writes: bool,
    table_size: int,
    warm_up_s: float,
    seconds: float,
) -> dict[str, Any]:
    try:
        return _measured(server, account, writes, table_size, warm_up_s, seconds)
    except pymysql.err.MySQLError:
        _started.abort()  # the others must not wait for this one
        raise


def _measured(
    server: str,
    account: Account,
    writes: bool,
    table_size: int,
    warm_up_s: float,
    seconds: float,
) -> dict[str, Any]:
    chance = random.Random()
    latencies: list[float] = []
    errors = 0
    with connect(server, account) as connection:
        _started.wait(timeout=30)
        warm_until = time.perf_counter() + warm_up_s
        while time.perf_counter() < warm_until:
            _transaction(connection, chance, writes=writes, table_size=table_size)
        _started.wait(timeout=30)
        began = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds:
            if _transaction(connection, chance, writes=writes, table_size=table_size):
                latencies.append((time.perf_counter() - now) * 1000)
            else:
                errors += 1
    return {
        "latencies_ms": latencies,
        "errors": errors,
        "took_s": time.perf_counter() - began,
    }


def _transaction(
    connection: pymysql.Connection[Any], chance: random.Random, *, writes: bool, table_size: int
) -> bool:
    """Do one transaction; False when it met another's and was rolled back."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            _read(cursor, chance, table_size)
            if writes:
                _write(cursor, chance, table_size)
            cursor.execute("COMMIT")
    except pymysql.err.MySQLError as error:
        if error.args[:1] and error.args[0] in _RETRIED:
            connection.rollback()
            return False
        raise
    return True


def _read(cursor: Any, chance: random.Random, table_size: int) -> None:  # noqa: ANN401 - pymysql's
    for _ in range(_POINTS):
        cursor.execute("SELECT c FROM sbtest1 WHERE id = %s", [chance.randint(1, table_size)])
    for what, order in (
        ("SELECT c", ""),
        ("SELECT SUM(k)", ""),
        ("SELECT c", " ORDER BY c"),
        ("SELECT DISTINCT c", " ORDER BY c"),
    ):
        first = chance.randint(1, table_size)
        statement = f"{what} FROM sbtest1 WHERE id BETWEEN %s AND %s{order}"
        cursor.execute(statement, [first, first + _RANGE - 1])


def _write(cursor: Any, chance: random.Random, table_size: int) -> None:  # noqa: ANN401 - pymysql's
    id = chance.randint(1, table_size)
    cursor.execute("UPDATE sbtest1 SET k = k + 1 WHERE id = %s", [id])
    id = chance.randint(1, table_size)
    cursor.execute("UPDATE sbtest1 SET c = %s WHERE id = %s", [_text(10), id])
    id = chance.randint(1, table_size)
    cursor.execute("DELETE FROM sbtest1 WHERE id = %s", [id])
    cursor.execute(
        "INSERT INTO sbtest1 (id, k, c, pad) VALUES (%s, %s, %s, %s)",
        [id, chance.randint(1, table_size), _text(10), _text(5)],
    )


def _text(groups: int) -> str:
    return "-".join(f"{random.randrange(10**11):011}" for _ in range(groups))
