"""The state that Galera keeps beside a node's data: which cluster's it is, and how far it goes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mariadb_node.server import Server, ServerError, complaints

NO_DATA = -1
_FILE = Path("data/grastate.dat")
_TEXT = """# GALERA saved state
version: 2.1
uuid:    {cluster}
seqno:   {sequence}
safe_to_bootstrap: 1
"""
_VIEW_FILE = Path("data/gvwstate.dat")
_VIEW_TEXT = """my_uuid: {here}
#vwbeg
view_id: 3 {first} 1
bootstrap: 0
{members}
#vwend
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


def write_first_state(state: State, data: Path) -> None:
    """Say in a data folder what its data is; the node that has it may begin."""
    text = _TEXT.format(cluster=state.cluster, sequence=state.sequence)
    (data / _FILE.name).write_text(text)


def allow_beginning() -> None:
    """Let this node begin, which Galera refuses to any but the last one to leave in order."""
    if _FILE.exists():
        text = _FILE.read_text()
        _FILE.write_text(text.replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1"))


def forget_leaving(data: Path) -> None:
    """Say in a data folder that many will have that none of them was the last to leave."""
    file = data / _FILE.name
    file.write_text(file.read_text().replace("safe_to_bootstrap: 1", "safe_to_bootstrap: 0"))


def write_common_view(nodes: Sequence[str], here: str) -> None:
    """Say beside the data that all nodes were together when they ended.

    Nodes that find that wait for each other and go on as the cluster that they were: with equal
    data none of them has to be sent anything.
    """
    names = {node: uuid.uuid5(uuid.NAMESPACE_URL, f"labctl:{node}") for node in nodes}
    members = "\n".join(f"member: {name} 0" for name in names.values())
    text = _VIEW_TEXT.format(here=names[here], first=names[nodes[0]], members=members)
    _VIEW_FILE.write_text(text)


def forget_view() -> None:
    """Forget who the nodes were: one that comes back under its old name waits for that to end."""
    _VIEW_FILE.unlink(missing_ok=True)
