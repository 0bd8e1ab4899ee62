"""Makes SSH keys, and gives a machine a host key of its own after the first login.

The key that a launch carries in its user data can be read back from the account; so it only has
to hold until the first login, which replaces it by one made on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from labctl.errors import TransportError
from labctl.paths import private_folder, write_private
from labctl.transport.base import Machine, Transport
from labctl.transport.scripts import output_of, script


class KeyPair(NamedTuple):
    """An ed25519 key pair: the private part in OpenSSH's format, the public one as a line."""

    private: str
    public: str  # "ssh-ed25519 AAAA...", without a comment


def new_host_key() -> KeyPair:
    """Make a host key, for a launch that pins it before the machine exists."""
    # Imported late: most commands make no key, and this import is slow.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return KeyPair(private.decode(), public.decode())


def new_client_key(path: Path) -> str:
    """Write a new private key (0600, in a 0700 folder) and return its public line."""
    key = new_host_key()
    private_folder(path.parent)
    write_private(path, key.private)
    return key.public


def rotate_host_key(
    transport: Transport,
    machine: Machine,
    *,
    before_switch: Callable[[str], None] = lambda public: None,
) -> str:
    """Give a machine a new host key, made on the machine, and return its public line to pin.

    `before_switch` is called with that line while the old key still serves: a caller that pins
    both there can be killed at any moment and still reach the machine.
    """
    spare = new_host_key()
    staged = transport.run(
        machine,
        script("rotate-host-key.sh", phase="stage", spare_public=spare.public),
        stdin=spare.private.encode(),
    )
    public = _public_line(machine, output_of(machine, staged, doing="making a host key"))
    before_switch(public)
    switched = transport.run(machine, script("rotate-host-key.sh", phase="switch"))
    if _public_line(machine, output_of(machine, switched, doing="changing the host key")) != public:
        raise TransportError(
            f"{machine.name}: another host key appeared while a new one was put in place",
            "another labctl may be at work on the machine; run the command again",
        )
    return public


def _public_line(machine: Machine, output: bytes) -> str:
    lines = output.decode(errors="replace").splitlines()
    words = lines[-1].split() if lines else []
    if len(words) < 2 or words[0] != "ssh-ed25519":
        raise TransportError(
            f"{machine.name}: no host key came back from the machine",
            f"look at /etc/ssh on it: labctl ssh LAB {machine.name}",
        )
    return " ".join(words[:2])
