"""Makes the data that a node begins with: prepared once for a version and a size, and copied.

The nodes of a cluster all begin with the same, and it says so: then a node that joins needs the
changes since, and not all data of another one. A primary's data has with it how it was made, for
its replicas begin empty and take from it whatever was ever done.
"""

from __future__ import annotations

import shutil
import uuid
from functools import partial
from pathlib import Path

from mariadb_node.accounts import make_databases
from mariadb_node.folders import base_data, copy_data, prepared
from mariadb_node.programs import Programs
from mariadb_node.rental_load import load_rental_data
from mariadb_node.server import Server
from mariadb_node.settings import Settings
from mariadb_node.state import State, forget_leaving, write_first_state

DATA = Path("data")
_MAKING = Path("data.making")
_UNSEEN = "gmcast.listen_addr=tcp://127.0.0.1:0"
_LEFT = ("galera.cache", "gvwstate.dat", "ib_buffer_pool")


def make_first_data(server: Server, settings: Settings, programs: Programs) -> None:
    """Put a node's first data in place, unless there is data; whole or not at all."""
    if not DATA.exists():
        copy_data(first_data(server, settings, programs), DATA)


def first_data(server: Server, settings: Settings, programs: Programs) -> Path:
    """Return the folder that the first data of such a node is a copy of, made if need be."""
    if settings.role == "replica":
        return base_data(settings, programs)
    name = f"{settings.role}-{programs.version()}-{settings.films}"
    return prepared(settings, name, partial(_fill, server, settings, programs))


def _fill(server: Server, settings: Settings, programs: Programs, target: Path) -> None:
    """Let a server fill the data once, reached by nobody but this node."""
    shutil.rmtree(_MAKING, ignore_errors=True)
    copy_data(base_data(settings, programs), _MAKING)
    # Nothing in it is anybody's yet: it need not wait for the disk.
    arguments = [f"--datadir={_MAKING.absolute()}", "--skip-networking", "--debug-no-sync"]
    if settings.role == "cluster":
        # Of one name wherever it is made, so that the nodes' data is of one cluster.
        cluster = str(uuid.uuid5(uuid.NAMESPACE_URL, f"labctl:{programs.version()}"))
        first = State(cluster, 0, safe=True)
        write_first_state(first, _MAKING)
        arguments += ["--wsrep-new-cluster", f"--wsrep-provider-options={_UNSEEN}", *first.start]
    try:
        server.start(*arguments)
        server.wait_answer()
        fill_databases(settings)
    finally:
        server.stop()
    if settings.role == "cluster":
        forget_leaving(_MAKING)
    for left in _LEFT:
        (_MAKING / left).unlink(missing_ok=True)
    shutil.move(_MAKING, target)


def fill_databases(settings: Settings) -> None:
    """Make the databases of a node that writes, and their data if that is not there."""
    make_databases()
    if settings.films:
        load_rental_data(settings.films)
