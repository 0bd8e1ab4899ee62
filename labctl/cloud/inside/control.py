"""How a command inside an instance asks the instance's init for something."""

from __future__ import annotations

import os
import socket
import sys
from typing import NoReturn

from labctl.cloud.wire import Message, Wire


def ask(message: Message) -> Message:
    """Send one request to the init and return its answer."""
    if "LABCTL_INSTANCE" not in os.environ:
        fail("LABCTL_INSTANCE is not set: this works inside a local instance only")
    root = os.environ.get("LABCTL_ROOT", "/")  # set where the instance has no root of its own
    # A socket's whole path may have some 100 characters only: reached by its short name.
    os.chdir(os.path.join(root, "run"))  # noqa: PTH118 - pathlib would double the start-up time
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect("init.sock")
    except OSError as error:
        fail(f"the instance's init does not answer: {error}")
    wire = Wire(connection)
    wire.send(message)
    while True:
        received = wire.receive()
        if received is None:
            fail("the instance is going down")
        if received:
            return received[0][0]


def say(text: str) -> None:
    """Print a line to standard output."""
    sys.stdout.write(f"{text}\n")


def warn(text: str) -> None:
    """Print a line to standard error, named after the command."""
    sys.stderr.write(f"{os.path.basename(sys.argv[0])}: {text}\n")  # noqa: PTH119 - as above


def fail(text: str, status: int = 1) -> NoReturn:
    """Print a line to standard error and exit."""
    warn(text)
    raise SystemExit(status)
