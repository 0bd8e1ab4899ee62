"""Hands AWS credentials to the programs on a machine, in a file that only they can read."""

from __future__ import annotations

from labctl.transport.base import Machine, Transport
from labctl.transport.scripts import output_of, script

# The scripts on the machine know by this line that the file is ours to replace and remove.
_MARK = "# Written by labctl; it replaces this file when the keys change, and removes it at the end"


def push_credentials(transport: Transport, machine: Machine, ini_text: str) -> None:
    """Put an AWS credentials file at `~/.aws/credentials` (0600, folder 0700), whole or not at all.

    It travels on the encrypted channel's input only. `TransportError` when a file is there that
    labctl did not write.
    """
    content = f"{_MARK}\n{ini_text.strip()}\n".encode()
    pushing = script("push-credentials.sh", size=str(len(content)))
    done = transport.run(machine, pushing, stdin=content)
    output_of(machine, done, doing="handing over the credentials")
