"""How a node that joins a cluster gets its data: by rsync, which for root needs a word more.

The script that comes with the server starts rsync's daemon without naming a user, and as root that
receives as nobody. So for root there is a method of our own, found on the path: the same script,
with an rsync that stays root.
"""

from __future__ import annotations

import os
from pathlib import Path

from mariadb_node.programs import Programs

_METHOD = "rsync"
_FOR_ROOT = "rsync_as_root"


def transfer_method() -> str:
    """Return the name of the method, as the server's option has it."""
    return _FOR_ROOT if os.geteuid() == 0 else _METHOD


def provide_transfer(folder: Path, programs: Programs) -> Programs:
    """Return the programs with those that the method needs; `folder` is the node's."""
    if transfer_method() == _METHOD:
        return programs
    own = folder / "bin"
    own.mkdir(mode=0o700, exist_ok=True)
    script, rsync = programs.path(f"wsrep_sst_{_METHOD}"), programs.path("rsync")
    _write(own / f"wsrep_sst_{_FOR_ROOT}", f'PATH="{own}:$PATH" exec {script} "$@"')
    _write(
        own / "rsync",
        'if [ "$1" = --daemon ]; then shift; set -- --daemon -M uid=root -M gid=root "$@"; fi\n'
        f'exec {rsync} "$@"',
    )
    search = os.pathsep.join([programs.environment["PATH"], str(own)])
    return Programs(programs.prefix, {**programs.environment, "PATH": search})


def _write(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
