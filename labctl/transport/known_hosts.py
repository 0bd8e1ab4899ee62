"""Decides whether the host key that a machine showed is the one it must have."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import threading
from pathlib import Path

from labctl.errors import HostKeyChanged, TransportError
from labctl.transport.base import Machine


class KnownHosts:
    """The host keys pinned in a `Machine`, and those met on a first use that was asked for.

    The latter are kept in a file in OpenSSH's known_hosts format (0600).
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def accepted(self, machine: Machine) -> tuple[str, ...]:
        """Return the key lines accepted for a machine; empty only for a trusted first use."""
        if machine.host_keys:
            return machine.host_keys
        if not machine.trust_first_use:
            raise TransportError(
                f"{machine.name}: no host key is pinned for {place(machine)}",
                "give `host_key:` (from `ssh-keyscan`, compared with the machine's own), "
                "or `trust_first_use: true` to accept the first one seen",
            )
        return self._met(machine)

    def check(self, machine: Machine, key: str) -> None:
        """Return when the key line shown by the machine is accepted.

        Raises `HostKeyChanged` when another is pinned; a trusted first use writes it down.
        """
        accepted = self.accepted(machine)
        if key_blob(key) in {key_blob(line) for line in accepted}:
            return
        if accepted:
            raise HostKeyChanged(
                f"{machine.name}: {place(machine)} shows the host key {fingerprint(key)}, "
                f"but {fingerprint(accepted[0])} is pinned: it may not be the machine it was",
                self._remedy(machine),
            )
        self._remember(machine, key)

    def _remedy(self, machine: Machine) -> str:
        if machine.host_keys:
            return (
                "if the machine was reinstalled on purpose, pin its new key; "
                "if labctl created it, `labctl down` and `labctl up` make a new one"
            )
        return f"if it was reinstalled on purpose, remove its line from {self._file}"

    def _met(self, machine: Machine) -> tuple[str, ...]:
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ()
        prefix = f"{_host(machine)} "
        return tuple(line.removeprefix(prefix) for line in lines if line.startswith(prefix))

    def _remember(self, machine: Machine, key: str) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        line = f"{_host(machine)} {key}\n".encode()
        with self._lock:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)


def place(machine: Machine) -> str:
    """Return where a machine is reached, as people write it."""
    return f"{machine.user}@{machine.address}:{machine.port}"


def key_blob(line: str) -> bytes:
    """Return the key itself out of a line such as `ssh-ed25519 AAAA... comment`."""
    words = line.split()
    try:
        return base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise TransportError(
            "a pinned host key is not a public key line",
            "it looks like `ssh-ed25519 AAAAC3Nz...`",
        ) from error


def fingerprint(line: str) -> str:
    """Return a key's fingerprint as `ssh-keygen -l` prints it."""
    digest = base64.b64encode(hashlib.sha256(key_blob(line)).digest()).decode().rstrip("=")
    return f"{line.split()[0]} SHA256:{digest}"


def _host(machine: Machine) -> str:
    return f"[{machine.address}]:{machine.port}" if machine.port != 22 else machine.address
