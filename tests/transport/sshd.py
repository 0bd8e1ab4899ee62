"""A real OpenSSH server for one test: own port, keys, home folder and environment."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from labctl.transport.base import Machine
from labctl.transport.host_keys import new_client_key, new_host_key

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
needs_sshd = pytest.mark.skipif(
    SSHD is None, reason="no sshd on this machine; apt-get install openssh-server"
)


def until(condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait for a condition; fail the test when it does not come true in time."""
    ends = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < ends, "it did not become true in time"
        pause.wait(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class SshServer:
    """An sshd on 127.0.0.1 whose sessions live in a home folder below `folder`."""

    def __init__(self, folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.port = free_port()
        self.key_file = folder / "keys" / "client"
        self.public_key = new_client_key(self.key_file)
        self.authorized = folder / "authorized_keys"
        self.authorized.write_text(f"{self.public_key}\n")
        self.environment = {"HOME": str(self.home), **(environment or {})}
        self.log = folder / "sshd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.new_host_key()

    def new_host_key(self) -> None:
        pair = new_host_key()
        self.host_key = pair.public
        path = self.folder / "host_key"
        path.write_text(pair.private)
        path.chmod(0o600)

    def start(self) -> None:
        assert SSHD is not None
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd insists on it as root
        config = self.folder / "sshd_config"
        values = " ".join(shlex.quote(f"{k}={v}") for k, v in self.environment.items())
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host_key\n"
            f"AuthorizedKeysFile {self.authorized}\nStrictModes no\nUsePAM no\nPidFile none\n"
            f"PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"PermitRootLogin yes\nMaxStartups 100\nLogLevel VERBOSE\nSetEnv {values}\n"
        )
        self._process = subprocess.Popen(
            [SSHD, "-D", "-f", str(config), "-E", str(self.log)], stdin=subprocess.DEVNULL
        )
        until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self) -> None:
        """Stop listening and end every session, the commands in them included."""
        if self._process is None:
            return
        # Sessions that were closed end by themselves, and then their parent collects them.
        with contextlib.suppress(AssertionError):
            until(lambda: not self._family(), within_s=0.5)
        family = self._family()
        self._process.kill()
        self._process.wait()
        self._process = None
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _family(self) -> list[int]:
        return _descendants(self._process.pid) if self._process else []

    def drop_sessions(self) -> None:
        """Break every connection, as when a machine loses power; the server goes on."""
        for pid in self._family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def logins(self) -> int:
        return self.log.read_text().count("Accepted publickey")

    def machine(self, **changes: object) -> Machine:
        values: dict[str, object] = {
            "role": "worker",
            "index": 0,
            "id": "i-0",
            "address": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "key_file": self.key_file,
            "host_keys": (self.host_key,),
        }
        return Machine(**{**values, **changes})  # type: ignore[arg-type]  # a test names any field


def _descendants(pid: int) -> list[int]:
    """Return all living processes below one, by the parents that /proc tells."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
