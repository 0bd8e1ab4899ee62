"""Starts real MariaDB nodes as an ordinary user, each at an address of its own on the loopback.

    with cluster(tmp_path, nodes=3) as nodes:
        nodes[0].ask("SELECT 1 AS one", account="reader")

`standalone`, `replicated` and `cluster` yield the nodes once each of them is ready; a replicated
topology's first node is the primary. At the end nothing of them runs.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pymysql.cursors import DictCursor

from tests.remote.waiting import eventually

ACCOUNTS = ("reader", "writer", "monitor", "replication", "bench")
REMOTE = Path(__file__).resolve().parents[2] / "remote"
READY_WITHIN_S = 90.0
CRASHES = 3  # before it is ready: as labctl has it

needs_mariadb = pytest.mark.skipif(
    shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin") is None,
    reason="there is no mariadbd: apt-get install mariadb-server galera-4 rsync",
)

Row = dict[str, Any]


@dataclass
class Node:
    """One node: its place, and its program while it runs."""

    address: str
    port: int
    home: Path
    secrets: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    crashes: int = 0

    @property
    def log(self) -> Path:
        """What the node says."""
        return self.home / "node.log"

    @property
    def server_pid(self) -> int:
        """The process id of its server."""
        return int((self.home / ".labctl/data/mariadb/server.pid").read_text())

    @property
    def server_log(self) -> str:
        """What its server wrote down."""
        return (self.home / ".labctl/data/mariadb/server.log").read_text()

    @property
    def environment(self) -> dict[str, str]:
        """What its programs are run with."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            # Whatever the tests can import.
            "PYTHONPATH": os.pathsep.join([str(REMOTE), *filter(None, sys.path)]),
            "LABCTL_ADDRESS": self.address,
            "PORT": str(self.port),
            "SECRETS": str(self.secrets),
            **self.settings,
        }

    def start(self) -> None:
        """Start the node; `wait_ready` tells when it is at work."""
        self.home.mkdir(exist_ok=True)
        self.log.write_bytes(b"")
        self.crashes = 0
        self._spawn()

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mariadb_node"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Wait until the node has said that it is ready; fail with what it said when it ended.

        As a service manager does, start it again first, twice at the most: now and then a server
        that joins a cluster ends with the words "restart required".
        """
        eventually(self._is_ready, f"{self.address} is ready", READY_WITHIN_S)

    def _is_ready(self) -> bool:
        assert self.process is not None, "it was started"
        said = self.log.read_text()
        if self.process.poll() is not None:
            self.crashes += 1
            assert self.crashes < CRASHES, f"the node of {self.address} ended:\n{said}"
            self._spawn()
            return False
        return '"ready"' in said

    def stop(self) -> int:
        """Tell the node to stop, as a service manager does, and return its exit status."""
        assert self.process is not None, "it was started"
        self.process.terminate()
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """Kill the node with its server, as a machine that dies does."""
        assert self.process is not None, "it was started"
        with suppress(ProcessLookupError):  # everything of it has ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_server(self) -> None:
        """Kill the server alone."""
        os.kill(self.server_pid, signal.SIGKILL)

    def connect(
        self, account: str, *, database: str | None = None
    ) -> pymysql.connections.Connection[DictCursor]:
        """Connect over the network as one of the accounts."""
        return pymysql.connect(
            host=self.address,
            port=self.port,
            user=account,
            password=(self.secrets / account).read_text(),
            database=database,
            connect_timeout=5,
            autocommit=True,
            cursorclass=DictCursor,
        )

    def ask(self, statement: str, *, account: str) -> list[Row]:
        """Return the rows of a statement that an account asks for over the network."""
        with self.connect(account) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def ask_as_root(self, statement: str) -> list[Row]:
        """Return the rows of a statement that root asks for on the machine."""
        done = subprocess.run(
            [sys.executable, "-m", "mariadb_node.query"],
            env=self.environment,
            input=statement.encode(),
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr.decode()
        rows: list[Row] = json.loads(done.stdout)
        return rows

    def status(self, name: str) -> str:
        """Return one of the server's own counters."""
        (row,) = self.ask(f"SHOW GLOBAL STATUS LIKE '{name}'", account="monitor")
        return str(row["Value"])


def prepare(folder: Path, role: str, films: int) -> None:
    """Prepare the data for the nodes below a folder, which then can only read it."""
    cache = folder / "cache"
    cache.mkdir()
    search = os.pathsep.join([str(REMOTE), *filter(None, sys.path)])
    subprocess.run(
        [sys.executable, "-m", "mariadb_node.prepare", role, str(films)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": search, "LABCTL_CACHE": str(cache)},
        check=True,
    )
    cache.chmod(0o500)


@contextmanager
def standalone(folder: Path, **settings: str) -> Iterator[Node]:
    """Run one server alone; `settings` are environment variables such as `FILMS`."""
    (node,) = _make(folder, 1)
    node.settings |= settings
    with _running([node]):
        yield node


@contextmanager
def replicated(folder: Path, *, replicas: int, **settings: str) -> Iterator[list[Node]]:
    """Run a primary, which comes first, and its replicas."""
    nodes = _make(folder, 1 + replicas)
    for node in nodes:
        node.settings |= {"PRIMARY": nodes[0].address, **settings}
    with _running(nodes):
        yield nodes


@contextmanager
def cluster(folder: Path, *, nodes: int, **settings: str) -> Iterator[list[Node]]:
    """Run a Galera cluster."""
    made = _make(folder, nodes)
    for node in made:
        node.settings |= {"NODES": ",".join(each.address for each in made), **settings}
    with _running(made):
        yield made


def _make(folder: Path, count: int) -> list[Node]:
    passwords = folder / "secrets"
    passwords.mkdir(mode=0o700, parents=True)
    for account in ACCOUNTS:
        (passwords / account).write_text(secrets.token_urlsafe(24))
    addresses, port = _place(count)
    cache = {"LABCTL_CACHE": str(folder / "cache")}
    return [
        Node(address, port, folder / f"node-{index}", passwords, dict(cache))
        for index, address in enumerate(addresses)
    ]


def _place(count: int) -> tuple[list[str], int]:
    """Return addresses of a network that nobody else is likely to use, and a port free there."""
    chance = random.SystemRandom()
    network = f"127.{chance.randrange(100, 250)}.{chance.randrange(1, 255)}"
    addresses = [f"{network}.{10 + index}" for index in range(count)]
    with socket.create_server((addresses[0], 0)) as probe:
        port: int = probe.getsockname()[1]
    return addresses, port


@contextmanager
def _running(nodes: Sequence[Node]) -> Iterator[None]:
    with ExitStack() as ends:
        for node in nodes:
            node.start()
            ends.callback(node.kill)
        for node in nodes:
            node.wait_ready()
        yield
