"""Writes a server's option file: what every node has, and what its role adds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mariadb_node.folders import LOG_FILE_SIZE
from mariadb_node.programs import Programs
from mariadb_node.settings import Settings
from mariadb_node.transfer import transfer_method

SOCKET = "server.sock"
LOG = "server.log"
_NEVER_S = "0"


def write_options(settings: Settings, programs: Programs) -> Path:
    """Write the option file (0600) for a node and return its path."""
    options = {
        **_common(settings),
        **programs.own_folders(),
        **({} if settings.role == "standalone" else _binlog(settings)),
        **({"read-only": "ON"} if settings.role == "replica" else {}),
        **(_cluster(settings, programs) if settings.role == "cluster" else {}),
    }
    path = settings.folder / "server.cnf"
    scratch = settings.folder / "server.cnf.new"
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(_text(options))
    scratch.replace(path)
    return path


def _text(options: Mapping[str, str]) -> str:
    return "[mariadbd]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())


def _common(settings: Settings) -> dict[str, str]:
    folder = settings.folder
    return {
        "bind-address": settings.address,
        "port": str(settings.port),
        # From the data folder, where the server works: a path of 108 bytes is too long for it.
        "socket": f"../{SOCKET}",
        "datadir": str(folder / "data"),
        "tmpdir": str(folder / "tmp"),
        "pid-file": str(folder / "server.pid"),
        "log-error": str(folder / LOG),
        "secure-file-priv": str(folder / "files"),
        "local-infile": "OFF",
        "skip-name-resolve": "ON",
        "symbolic-links": "OFF",
        "performance-schema": "OFF",
        "character-set-server": "utf8mb4",
        "server-id": str(settings.server_id),
        "max-connections": "256",
        "innodb-buffer-pool-size": settings.buffer_pool,
        "innodb-log-file-size": LOG_FILE_SIZE,
        "innodb-flush-log-at-trx-commit": str(settings.flush_at_commit),
        **({"user": "root"} if os.geteuid() == 0 else {}),
    }


def _binlog(settings: Settings) -> dict[str, str]:
    return {
        "log-bin": "binlog",
        "binlog-format": "ROW",
        "log-slave-updates": "ON",
        "gtid-strict-mode": "ON",
        "relay-log": "relay",
        "slave-parallel-threads": "2",
        "slave-net-timeout": "10",
        "sync-binlog": "1" if settings.flush_at_commit == 1 else "0",
        # A replica that comes later starts at the beginning.
        "binlog-expire-logs-seconds": _NEVER_S,
    }


def _cluster(settings: Settings, programs: Programs) -> dict[str, str]:
    here = settings.address
    provider = {
        "gcache.size": "32M",
        "gmcast.listen_addr": f"tcp://{here}:4567",
        "ist.recv_addr": f"{here}:4568",
        "evs.keepalive_period": "PT0.5S",
        "evs.inactive_check_period": "PT0.25S",
        "evs.suspect_timeout": "PT2S",
        "evs.inactive_timeout": "PT5S",
    }
    return {
        "default-storage-engine": "InnoDB",
        "innodb-autoinc-lock-mode": "2",
        "wsrep-on": "ON",
        "wsrep-provider": str(programs.galera()),
        "wsrep-cluster-name": "labctl",
        "wsrep-cluster-address": "gcomm://" + ",".join(f"{node}:4567" for node in settings.nodes),
        "wsrep-node-address": here,
        "wsrep-node-name": f"node-{settings.nodes.index(here)}",
        "wsrep-sst-method": transfer_method(),
        "wsrep-sst-receive-address": f"{here}:4444",
        "wsrep-provider-options": f'"{";".join(f"{k}={v}" for k, v in provider.items())}"',
    }
