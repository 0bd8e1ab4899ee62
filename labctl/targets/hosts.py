"""Existing machines, reached by SSH, that stand in for the instances of a role."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labctl.spec.hosts import HostModel
from labctl.transport.base import Machine


def machines_from_hosts(role: str, hosts: Sequence[HostModel]) -> list[Machine]:
    """Return the machines of a role in the order the file names them."""
    return [
        Machine(
            role=role,
            index=index,
            id=host.address if host.port == 22 else f"{host.address}:{host.port}",
            address=host.address.strip("[]"),
            port=host.port,
            user=host.user,
            key_file=Path(host.key).expanduser() if host.key else None,
            # The comment of a public key is no part of it.
            host_keys=(" ".join(host.host_key.split()[:2]),) if host.host_key else (),
            trust_first_use=host.trust_first_use,
        )
        for index, host in enumerate(hosts)
    ]
