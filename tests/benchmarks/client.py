"""A machine from which tests measure: a real OpenSSH server whose Python has what labctl has."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from labctl.benchmarks.base import BenchContext, Host
from labctl.transport.base import Machine
from labctl.transport.ssh import SshTransport
from tests.databases.nodes import Node
from tests.transport.sshd import SshServer

needs_sysbench = pytest.mark.skipif(
    shutil.which("sysbench") is None, reason="there is no sysbench: apt-get install sysbench"
)


@contextmanager
def measuring(
    folder: Path, roles: Mapping[str, Sequence[Node]], *, secrets: Path
) -> Iterator[BenchContext]:
    """Give what a benchmark may use: role `client` and these database nodes."""
    server = SshServer(folder / "client")
    venv = server.home / ".labctl" / "venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (venv / "python3").chmod(0o755)
    (venv.parent / "PROVIDED").touch()
    server.start()
    transport = SshTransport(folder / "state")
    machine = server.machine(role="client")

    def hosts(role: str) -> list[Host]:
        if role == "client":
            return [Host(machine, "127.0.0.1", "this machine (local cloud)")]
        return [
            Host(_also(machine, role, index), node.address, "this machine (local cloud)")
            for index, node in enumerate(roles.get(role, ()))
        ]

    try:
        yield BenchContext(
            transport=transport,
            hosts=hosts,
            secret=lambda name: (secrets / name).read_text(),
            run="test",
            cancelled=threading.Event(),
        )
    finally:
        transport.close()
        server.stop()


def _also(machine: Machine, role: str, index: int) -> Machine:
    """Return the client's machine under another name: only what it is made of is asked there."""
    values = {**vars(machine), "role": role, "index": index}
    return Machine(**values)
