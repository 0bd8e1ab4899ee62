"""What this machine offers to a local cloud."""

from __future__ import annotations

import os
import socket
import sys

_SFTP_SERVERS = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
)


def sftp_server() -> str | None:
    """Return this machine's own SFTP server program, if it has one."""
    return next((path for path in _SFTP_SERVERS if os.access(path, os.X_OK)), None)


def has_loopback_aliases(address: str = "127.64.0.1") -> bool:
    """Tell whether any 127.x address can be listened on without setting it up first."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def trees_end_whole() -> bool:
    """Tell whether processes that detach themselves still end with their instance."""
    return sys.platform.startswith("linux")
