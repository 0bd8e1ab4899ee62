"""Hands the secrets of a lab to a service on a machine, in files that only its user can read."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.transport.base import Machine, Transport
from labctl.transport.scripts import output_of, script


def push_secrets(
    transport: Transport, machine: Machine, service: str, secrets: Mapping[str, str]
) -> None:
    """Put secrets at `~/.labctl/secrets/SERVICE/NAME` (0600, folder 0700), all of them or none.

    They travel on the encrypted channel's input only. With the next install the service starts
    anew if they are others than it had. Names and values hold no blanks.
    """
    lines = [f"{name} {value}\n" for name, value in sorted(secrets.items())]
    content = "".join(lines).encode()
    pushing = script("push-secrets.sh", name=service, size=str(len(content)))
    done = transport.run(machine, pushing, stdin=content)
    output_of(machine, done, doing=f"handing over the secrets of {service}")
