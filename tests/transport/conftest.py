"""What the transport's tests share: a server, a transport that is closed, a machine with a root."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.transport.ssh import SshTransport
from tests.transport.sshd import SSHD, SshServer


def _started(server: SshServer) -> SshServer:
    if SSHD is None:
        pytest.skip("no sshd on this machine; apt-get install openssh-server")
    server.start()
    return server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    running = _started(SshServer(tmp_path / "server"))
    yield running
    running.stop()


@pytest.fixture
def rooted(tmp_path: Path) -> Iterator[SshServer]:
    """A server whose sessions see what a local instance has: a root, sudo, systemctl, Python."""
    root, programs = tmp_path / "root", tmp_path / "programs"
    for folder in (root / "etc/systemd/system", root / "etc/ssh", root / "run", programs):
        folder.mkdir(parents=True)
    _program(programs / "sudo", '#!/bin/sh\n[ "$1" = -n ] || exit 78\nshift\nexec "$@"\n')
    shim = Path(__file__).with_name("systemctl_shim.py")
    _program(programs / "systemctl", f'#!/bin/sh\nexec {sys.executable} {shim} "$@"\n')
    environment = {"LABCTL_ROOT": str(root), "PATH": f"{programs}:/usr/bin:/bin"}
    running = _started(SshServer(tmp_path / "machine", environment=environment))
    venv = running.home / ".labctl" / "venv"
    (venv / "bin").mkdir(parents=True)
    _program(venv / "bin" / "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (venv / "PROVIDED").write_text("")
    yield running
    for pid_file in (root / "run").glob("*.pid"):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.killpg(int(pid_file.read_text()), signal.SIGKILL)
    running.stop()


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def transport(tmp_path: Path) -> Iterator[SshTransport]:
    made = SshTransport(tmp_path / "state")
    yield made
    made.close()
