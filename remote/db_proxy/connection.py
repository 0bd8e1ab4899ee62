"""One connection to a server, by asyncmy: one statement at a time, within what a session may do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from asyncmy.connection import Connection
from asyncmy.constants.CLIENT import MULTI_STATEMENTS
from asyncmy.constants.FIELD_TYPE import (
    DOUBLE,
    FLOAT,
    INT24,
    LONG,
    LONGLONG,
    SHORT,
    TINY,
    YEAR,
)
from asyncmy.errors import MySQLError

CONNECT_WITHIN_S = 1.0
_LOST = range(2000, 3000)  # the client's own errors: no server, or one that went away
_ENDING = (1040, 1053, 1077, 1080, 1129, 1203, 1927)  # it takes no connection, or ends this one
_DENIED = (1044, 1045, 1142, 1143, 1227, 1290, 1370, 1792)
_TOO_LONG = (1205, 1969, 3024)

# Numbers as numbers; dates, decimals and text as the server writes them.
_READ_AS: dict[int, Callable[[str], Any]] = {
    **dict.fromkeys((TINY, SHORT, INT24, LONG, LONGLONG, YEAR), int),
    **dict.fromkeys((FLOAT, DOUBLE), float),
}


class Unreachable(Exception):
    """There is no such server now, or it went away; the text says how."""


class Refusal(Exception):
    """The server answered with an error; `status` is the HTTP status that fits it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class OneStatement(Connection):
    """A connection on which a text is one statement, whatever it holds."""

    _client_flag: int
    _stream_broken: bool

    def __init__(self, **settings: object) -> None:
        """Take what asyncmy's connection takes."""
        Connection.__init__(self, **settings)

    async def connect(self) -> Any:  # noqa: ANN401 - the driver's own
        """Log in without the right to send several statements at once, which asyncmy asks for."""
        self._client_flag &= ~MULTI_STATEMENTS
        return await super().connect()

    @property
    def usable(self) -> bool:
        """Whether the next statement can go over it."""
        return self.connected and not self._stream_broken


async def connect(
    host: str, port: int, *, user: str, password: str, database: str | None, first: str
) -> OneStatement:
    """Open a connection and run its first statement, which sets up the session.

    Raises `Unreachable`, and `Refusal` when the server takes neither account nor statement.
    """
    connection = OneStatement(
        host=host,
        port=port,
        user=user,
        password=password,
        database=database,
        charset="utf8mb4",
        conv=_READ_AS,
        init_command=first,
        autocommit=None,
        connect_timeout=CONNECT_WITHIN_S,
    )
    try:
        async with asyncio.timeout(2 * CONNECT_WITHIN_S):
            await connection.connect()
    except BaseException as error:
        connection.close()
        meant = translated(error)
        if meant is error:
            raise
        raise meant from error
    return connection


def translated(error: BaseException) -> BaseException:
    """Return what a driver's error means here; any other is returned as it is."""
    if isinstance(error, TimeoutError):
        return Unreachable("it did not answer in time")
    if isinstance(error, OSError | EOFError):
        return Unreachable(_short(error))
    if not isinstance(error, MySQLError):
        return error
    code, reason = _code(error), _short(error.args[-1] if error.args else error)
    if code in _LOST or code in _ENDING or code == 0:
        return Unreachable(reason)
    if code in _TOO_LONG:
        return Refusal(504, f"the server stopped it: {reason}")
    return Refusal(403 if code in _DENIED else 400, reason)


def _code(error: MySQLError) -> int:
    code = error.args[0] if error.args else 0
    return code if isinstance(code, int) else 0


def _short(error: object) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."
