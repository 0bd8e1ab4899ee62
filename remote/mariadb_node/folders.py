"""Makes a node's folders, and keeps data folders that are prepared once and copied."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mariadb_node.programs import Programs, ProgramsError
from mariadb_node.settings import Settings

# Small: a copy is read and written whole.
LOG_FILE_SIZE = "32M"
_WALLS = "DELETE FROM mysql.global_priv WHERE User = '' OR User = 'root' AND Host <> 'localhost';\n"


def make_folders(folder: Path) -> None:
    """Make a node's folder and those that its options name; only the owner may enter."""
    for each in (folder, folder / "tmp", folder / "files"):
        each.mkdir(parents=True, exist_ok=True)
        each.chmod(0o700)


def base_data(settings: Settings, programs: Programs) -> Path:
    """Return a data folder as the server's installation makes it."""
    return prepared(settings, f"mariadb-{programs.version()}", partial(_install, programs))


def copy_data(source: Path, target: Path) -> None:
    """Copy a data folder, whole or not at all."""
    scratch = target.with_name(f"{target.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(scratch)], check=True)
    scratch.rename(target)


def prepared(settings: Settings, name: str, make: Callable[[Path], None]) -> Path:
    """Return a prepared folder; `make` fills it the first time.

    It is looked for among those of all nodes first, where this node perhaps can add none.
    """
    common, own = settings.cache, settings.folder.with_name("cache")
    for found in (common / name, own / name):
        if found.exists():
            return found
    cache = own if common.exists() and not os.access(common, os.W_OK) else common
    cache.mkdir(parents=True, exist_ok=True)
    found = cache / name
    with _alone(cache / f"{name}.lock"):
        if not found.exists():
            scratch = cache / f"{name}.new"
            shutil.rmtree(scratch, ignore_errors=True)
            make(scratch)
            scratch.rename(found)
    return found


def _install(programs: Programs, data: Path) -> None:
    base = programs.own_folders().get("basedir")
    walls = data.with_name("walls.sql")
    walls.write_text(_WALLS)
    done = subprocess.run(
        [
            programs.path("mariadb-install-db"),
            "--no-defaults",
            *([f"--basedir={base}"] if base else []),
            f"--datadir={data}",
            *(["--user=root"] if os.geteuid() == 0 else []),
            # Whoever may enter the folder with the socket is root; nobody is from elsewhere.
            "--auth-root-authentication-method=normal",
            f"--extra-file={walls}",
            "--skip-test-db",
            "--skip-name-resolve",
            # Nothing in it is anybody's yet, and most of the time would be waiting for the disk.
            "--debug-no-sync",
            f"--innodb-log-file-size={LOG_FILE_SIZE}",
        ],
        env=programs.environment,
        cwd=data.parent,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise ProgramsError(f"no data folder can be made: {(done.stderr or done.stdout)[-500:]}")


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keep the nodes that share a cache from preparing it at the same time."""
    held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
