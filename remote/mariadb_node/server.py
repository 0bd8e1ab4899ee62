"""Runs the server's process: starts it, asks it, stops it, and tells what it complained of."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from mariadb_node.options import LOG, SOCKET
from mariadb_node.programs import Programs
from mariadb_node.waiting import wait_for

_ANSWER_S = 10.0
_LONG_S = 3600.0
_COMPLAINTS = 5

Row = dict[str, Any]


class ServerError(Exception):
    """The server does not start, or ended."""


class Server:
    """The server of this process's working folder, which is the node's."""

    def __init__(self, programs: Programs, options: Path) -> None:
        self._programs = programs
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start the server; it does not answer yet."""
        Path(LOG).touch(mode=0o600)
        self._process = self._popen(*arguments)

    def run(self, *arguments: str) -> int:
        """Run the server to its end and return its exit status."""
        self._process = self._popen(*arguments)
        return self._process.wait()

    def _popen(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [self._programs.path("mariadbd"), f"--defaults-file={self._options}", *arguments],
            env=self._programs.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait_answer(self) -> None:
        """Wait until a query is answered; raises `ServerError` when the server ends first."""
        wait_for(self._answers, "the server's first answer")

    def answers_within(self, seconds: float) -> bool:
        """Wait for an answer, but not for ever; as `wait_answer`."""
        until = time.monotonic() + seconds
        return wait_for(
            lambda: self._answers() or (False if time.monotonic() > until else None),
            "the server's first answer",
        )

    def _answers(self) -> bool | None:
        self.check()
        try:
            self.ask("SELECT 1")
        except pymysql.err.MySQLError:
            return None
        return True

    def check(self) -> None:
        """Raise `ServerError` with what the log says when the server has ended."""
        status = self._process.poll() if self._process else None
        if status is not None:
            raise ServerError(f"mariadbd ended with status {status}{complaints(Path(LOG))}")

    def ask(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Return the rows that a statement gives to root; raises `MySQLError`."""
        with root_connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def variable(self, kind: str, name: str) -> str:
        """Return one line of `SHOW GLOBAL STATUS` or `VARIABLES`; "" when there is none."""
        rows = self.ask(f"SHOW GLOBAL {kind} LIKE %s", [name])
        return str(rows[0]["Value"]) if rows else ""

    def wait(self) -> None:
        """Wait for the server's end, which is an error; a signal to this process ends the wait."""
        assert self._process is not None, "it was started"
        self._process.wait()
        self.check()

    def stop(self) -> None:
        """Have the server end in order, and wait until it has."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def kill(self) -> None:
        """End the server at once, for one that waits for others ends in no other way."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def root_connection() -> Iterator[pymysql.connections.Connection[DictCursor]]:
    """Connect as root with the server whose node's folder is the working folder."""
    connection = pymysql.connect(
        unix_socket=SOCKET,
        user="root",
        connect_timeout=_ANSWER_S,
        read_timeout=_LONG_S,
        charset="utf8mb4",
        autocommit=True,
        cursorclass=DictCursor,
    )
    with connection:
        yield connection


def complaints(log: Path) -> str:
    """Return the last errors of a server's log, led by a colon; "" when there are none."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    errors = [line for line in lines if "[ERROR]" in line][-_COMPLAINTS:]
    return "".join(f": {line}" for line in errors)
