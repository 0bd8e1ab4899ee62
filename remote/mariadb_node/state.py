"""The state that Galera keeps beside a node's data: which cluster's it is, and how far it goes."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mariadb_node.folders import copy_data, make_data, prepared
from mariadb_node.programs import Programs
from mariadb_node.server import Server, ServerError, complaints
from mariadb_node.settings import Settings

NO_DATA = -1
_FILE = Path("data/grastate.dat")
_TEXT = """# GALERA saved state
version: 2.1
uuid:    {cluster}
seqno:   {sequence}
safe_to_bootstrap: 1
"""
_ENTRY = re.compile(r"^(uuid|seqno|safe_to_bootstrap):\s*(\S+)", re.MULTILINE)
_RECOVERED = re.compile(r"Recovered position:? ?([0-9a-f-]{36}):(-?[0-9]+)")


@dataclass(frozen=True)
class State:
    """What a node's data is: of which cluster, up to which change; `NO_DATA` when it is none."""

    cluster: str
    sequence: int
    safe: bool  # this node was the last one to leave, in order

    @property
    def start(self) -> list[str]:
        """The server's argument that says where its data stands."""
        return [f"--wsrep-start-position={self.cluster}:{self.sequence}"] if self.cluster else []


def read_state(server: Server) -> State:
    """Return the state of the data; after a crash the server itself finds it out."""
    entries = dict(_ENTRY.findall(_FILE.read_text())) if _FILE.exists() else {}
    sequence = int(entries.get("seqno", NO_DATA))
    if sequence > NO_DATA:
        return State(entries["uuid"], sequence, entries.get("safe_to_bootstrap") == "1")
    if not Path("data/ibdata1").exists():
        return State("", NO_DATA, safe=False)
    log = Path("recovery.log").absolute()
    log.unlink(missing_ok=True)
    status = server.run("--wsrep-recover", f"--log-error={log}")
    found = _RECOVERED.findall(log.read_text(errors="replace")) if log.exists() else []
    if status != 0 or not found:
        raise ServerError(f"it cannot be told how far the data goes{complaints(log)}")
    cluster, text = found[-1]
    return State(cluster, int(text), safe=False)


def make_first_state(server: Server, settings: Settings, programs: Programs) -> State:
    """Make the data that every node of a new cluster begins with, and return its state.

    It is the same on each, and says so: then a node that joins needs the changes since, and not
    all data of another one.
    """
    version = programs.version()
    first = prepared(
        settings.cache, f"cluster-{version}", partial(_begin_once, server, settings, programs)
    )
    if not Path("data").exists():
        copy_data(first, Path("data"))
    return read_state(server)


def _begin_once(server: Server, settings: Settings, programs: Programs, target: Path) -> None:
    """Let a server found a cluster, by a name that depends on its version only, and end it."""
    make_data(settings.folder, settings.cache, programs)
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"labctl:{programs.version()}"))
    state = State(name, 0, safe=True)
    _FILE.write_text(_TEXT.format(cluster=name, sequence=0))
    server.start("--wsrep-new-cluster", "--skip-networking", "--debug-no-sync", *state.start)
    server.wait_answer()
    server.stop()
    for left in ("galera.cache", "gvwstate.dat"):
        Path("data", left).unlink(missing_ok=True)
    copy_data(Path("data"), target)


def allow_beginning() -> None:
    """Let this node begin, which Galera refuses to any but the last one to leave in order."""
    if _FILE.exists():
        text = _FILE.read_text()
        _FILE.write_text(text.replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1"))
