"""Reaches machines over SSH: the one implementation of `Transport` for real machines."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko

from labctl.errors import LabctlError, TransportError
from labctl.text import one_line
from labctl.transport.base import Bundle, Completed, Machine
from labctl.transport.bundles import archive, check_bundle
from labctl.transport.commands import InputOnCue, complete, follow_lines
from labctl.transport.connections import Connections
from labctl.transport.forwarding import carry_all
from labctl.transport.known_hosts import KnownHosts
from labctl.transport.login import NotYet
from labctl.transport.patience import Patience
from labctl.transport.readiness import wait_until_ready
from labctl.transport.scripts import output_of, script
from labctl.transport.terminal import connect_terminal

_CONNECT_S = 20.0  # for one login, when the machine is believed to be up
_FILE_S = 120.0
_CUE = "labctl: send it"  # what a machine says that does not have the bundle yet


class SshTransport:
    """Machines over SSH, one kept connection each; safe to use from many threads.

    `state` is labctl's state folder; it holds the `known_hosts` of trusted first uses.
    """

    def __init__(self, state: Path) -> None:
        self._connections = Connections(KnownHosts(state / "known_hosts"))

    def wait_ready(
        self,
        machine: Machine,
        *,
        deadline_s: float,
        cancelled: threading.Event,
        still_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Return once the machine runs a command; a refused key is given a minute's grace."""
        overall = Patience(deadline_s, cancelled)

        def attempt() -> None:
            patience = Patience(min(_CONNECT_S, max(overall.left_s, 0.1)), cancelled)
            with self._connections.channel(machine, patience) as channel:
                try:
                    done = complete(channel, "true", machine=machine, timeout_s=_CONNECT_S)
                except TransportError as error:
                    raise NotYet("exec", error.message, error.hint) from error
            if done.status != 0:
                said = one_line(done.stderr.decode(errors="replace"))
                raise NotYet("exec", f"{machine.name} runs no commands: {said}", "")

        wait_until_ready(
            machine,
            attempt,
            deadline_s=deadline_s,
            cancelled=cancelled,
            still_wanted=still_wanted,
        )

    def run(
        self,
        machine: Machine,
        script: str,
        *,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
    ) -> Completed:
        """Run a bash script and wait for its end and its end of output (64 MiB at most)."""
        return self._complete(machine, script, stdin=stdin, timeout_s=timeout_s)

    def push(self, machine: Machine, bundle: Bundle, *, timeout_s: float = 120.0) -> bool:
        """Put a bundle at `~/.labctl/agents/<name>`; False when the same content was there."""
        check_bundle(bundle)
        done = self._complete(
            machine,
            script("push.sh", name=bundle.name, digest=bundle.digest, cue=_CUE),
            stdin=InputOnCue(_CUE.encode(), lambda: archive(bundle)),
            timeout_s=timeout_s,
        )
        said = output_of(machine, done, doing=f"pushing {bundle.name}")
        return _CUE.encode() in said

    def write_file(self, machine: Machine, path: str, content: bytes, *, mode: int) -> None:
        """Write one file, whole or not at all, with its mode from its first byte on."""
        done = self._complete(
            machine,
            script("write-file.sh", path=path, mode=f"{mode:o}", size=str(len(content))),
            stdin=content,
            timeout_s=_FILE_S,
        )
        output_of(machine, done, doing=f"writing {path}")

    def read_file(self, machine: Machine, path: str, *, limit: int = 16 * 2**20) -> bytes:
        """Return a file's content, refused beyond `limit` bytes."""
        reading = script("read-file.sh", path=path, most=str(limit + 1))
        done = self._complete(machine, reading, timeout_s=_FILE_S)
        content = output_of(machine, done, doing=f"reading {path}")
        if len(content) > limit:
            raise TransportError(
                f"{machine.name}: {path} is larger than {limit} bytes",
                "fetch it with scp; `labctl ssh-config LAB` tells scp how",
            )
        return content

    def follow(
        self,
        machine: Machine,
        script: str,
        on_line: Callable[[str], None],
        *,
        cancelled: threading.Event,
    ) -> int:
        """Run a script and hand over its output line by line; killed there when cancelled."""
        patience = Patience(_CONNECT_S, cancelled)
        with self._connections.channel(machine, patience) as channel:
            return follow_lines(channel, script, on_line, machine=machine, cancelled=cancelled)

    def shell(self, machine: Machine, command: str | None, *, terminal: bool) -> int:
        """Connect this process's own terminal to a shell or command; return its status."""
        with self._connections.channel(machine, Patience(_CONNECT_S)) as channel:
            return connect_terminal(channel, command, machine=machine, terminal=terminal)

    def forward(
        self,
        machine: Machine,
        port: int,
        listener: socket.socket,
        *,
        cancelled: threading.Event,
        on_failure: Callable[[LabctlError], None],
    ) -> None:
        """Carry what comes to a listening socket to a port of the machine, until cancelled."""

        def opened(caller: tuple[str, int]) -> paramiko.Channel:
            return self._connections.tunnel(machine, port, caller, Patience(_CONNECT_S, cancelled))

        carry_all(listener, opened, cancelled=cancelled, on_failure=on_failure)

    def forget(self, machine: Machine) -> None:
        """Drop the kept connection, because the machine went away or was replaced."""
        self._connections.forget(machine)

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()

    def _complete(
        self, machine: Machine, script: str, *, stdin: bytes | InputOnCue = b"", timeout_s: float
    ) -> Completed:
        patience = Patience(timeout_s)
        with self._connections.channel(machine, Patience(min(_CONNECT_S, timeout_s))) as channel:
            return complete(
                channel,
                script,
                machine=machine,
                stdin=stdin,
                timeout_s=max(patience.left_s, 0.1),
            )
