"""Runs one statement on a connection, within its limits, and makes of its result what is sent."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from asyncmy.cursors import SSCursor
from asyncmy.errors import MySQLError

from db_proxy.connection import OneStatement, Refusal, translated
from db_proxy.settings import Limits

_PART = 100  # rows
_POSITION = re.compile(r"\d{1,10}-\d{1,10}-\d{1,20}")


class NotCommitted(Exception):
    """The server went away before a change was committed: nothing was changed."""


class Unknown(Exception):
    """The server went away while it committed: the change may or may not be there."""


@dataclass(frozen=True)
class Rows:
    """What a read found; `lines` is one JSON array for each row."""

    columns: tuple[str, ...]
    lines: tuple[str, ...]
    truncated: bool


@dataclass(frozen=True)
class Change:
    """What a write did; `position` is where it stands in the primary's history (a GTID)."""

    changed: int
    last_id: int | None
    position: str | None


def is_position(value: object) -> bool:
    """Whether a value is a position, such as `0-1-42`."""
    return isinstance(value, str) and _POSITION.fullmatch(value) is not None


async def read(connection: OneStatement, query: str, limits: Limits) -> Rows:
    """Return the rows that a query finds, row by row, so that no result is held whole."""
    cursor = SSCursor(connection)
    await cursor.execute(query)
    columns = tuple(column[0] for column in cursor.description or ())
    lines: list[str] = []
    left = limits.answer_bytes
    while columns:
        part = await cursor.fetchmany(_PART)
        if not part:
            await cursor.close()
            break
        for row in part:
            line = json.dumps(row, default=_plain)
            left -= len(line)
            if len(lines) == limits.rows or left < 0:
                return await _cut(connection, cursor, Rows(columns, tuple(lines), True))
            lines.append(line)
    return Rows(columns, tuple(lines), False)


async def _cut(connection: OneStatement, cursor: SSCursor, rows: Rows) -> Rows:
    """Read on when the end is near; else hang up, which costs less than the rest."""
    if await cursor.fetchmany(_PART):
        connection.close()
    else:
        await cursor.close()
    return rows


async def write(connection: OneStatement, query: str, limits: Limits) -> Change:
    """Run a change and commit it; raises `Refusal` without any change when it is too large."""
    cursor = connection.cursor()
    committing = False
    try:
        await cursor.execute(query)
        changed, last_id = int(str(cursor.rowcount)), cursor.lastrowid
        if changed > limits.changed:
            raise Refusal(403, f"{changed} rows would change; at most {limits.changed} are allowed")
        committing = True
        await connection.commit()
    except BaseException as error:
        await _undo(connection, error, committing=committing)
        raise
    return Change(changed, last_id or None, await _position(connection))


async def _position(connection: OneStatement) -> str | None:
    """Return where the change just committed stands; that this fails must not look as if it did."""
    cursor = connection.cursor()
    try:
        await cursor.execute("SELECT @@last_gtid")
        found = await cursor.fetchone()
    except (MySQLError, OSError):
        connection.close()
        return None
    return found[0] if found and is_position(found[0]) else None


async def _undo(connection: OneStatement, error: BaseException, *, committing: bool) -> None:
    if connection.usable and isinstance(error, Exception):
        await connection.rollback()
        return
    connection.close()  # the server undoes what it has not committed
    if isinstance(error, Exception):
        why = str(translated(error))
        raise (Unknown if committing else NotCommitted)(why) from error


async def catches_up(connection: OneStatement, position: str, within_s: float) -> bool:
    """Wait until a replica has a position of the primary; tell whether it has it now."""
    cursor = connection.cursor()
    await cursor.execute(f"SELECT MASTER_GTID_WAIT('{position}', {within_s:.3f})")
    found = await cursor.fetchone()
    return bool(found) and found[0] == 0


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
