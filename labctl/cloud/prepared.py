"""What labctl's own programs make once, on this machine, for all instances to copy.

Instances are strangers to each other, and what one of them made would be another's beginning. So
none makes any of this: it comes from a program that labctl ships, run here, and instances with a
root of their own can only read it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labctl.cloud.inside.guest import SPARE_ID
from labctl.cloud.layout import MARK, Layout
from labctl.cloud.programs import package_folders
from labctl.cloud.system_packages import PROGRAMS, place_of
from labctl.errors import TargetError
from labctl.text import one_line

SEEN_AS = Path("/opt/labctl/prepared")  # in instances with a root of their own
CACHE = "LABCTL_CACHE"
_TIMEOUT_S = 300.0
_SLOWER = "each machine does it for itself, which takes longer"


@dataclass(frozen=True)
class Preparation:
    """A shipped program whose module `prepare` makes something, and what that depends on."""

    program: Path
    digest: str  # of its code
    arguments: tuple[str, ...]
    needs: tuple[str, ...]  # commands and files of the system

    @property
    def folder(self) -> str:
        """The name of the folder that it fills: other code fills another."""
        return f"{self.program.name}-{self.digest[:16]}"


def prepare(layout: Layout, wanted: Preparation, progress: Callable[[str], None]) -> Path:
    """Have it made if it is not there, and return its folder; raises `TargetError`."""
    folder = layout.prepared / wanted.folder
    mark = folder / f"{_depends(wanted, layout.fetched)}.done"
    if mark.exists():
        return folder
    for other in layout.prepared.glob(f"{wanted.program.name}-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    progress(f"prepares once for all machines: {' '.join(wanted.arguments)}")
    _run(layout, wanted, folder)
    give_to_instances(folder)
    mark.touch()
    return folder


def give_to_instances(folder: Path) -> None:
    """Let instances own a folder and all in it; those of an ordinary user are that user."""
    if os.getuid() != 0:
        return
    os.chown(folder, SPARE_ID, SPARE_ID)
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(path, name), SPARE_ID, SPARE_ID, follow_symlinks=False)


def _depends(wanted: Preparation, fetched: Path) -> str:
    """Return a name that changes with the arguments and with the system's programs."""
    parts = list(wanted.arguments)
    for need in wanted.needs:
        place = place_of(need, fetched)
        known = place.stat() if place else None
        parts.append(f"{place} {known.st_size} {known.st_mtime_ns}" if known else need)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _run(layout: Layout, wanted: Preparation, folder: Path) -> None:
    search = [str(wanted.program.parent), *package_folders()]
    environment = {
        MARK: layout.mark,
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(search),
        "PYTHONDONTWRITEBYTECODE": "1",
        CACHE: str(folder),
        **({PROGRAMS: str(layout.fetched)} if layout.fetched.exists() else {}),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"{wanted.program.name}.prepare", *wanted.arguments],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            start_new_session=True,  # Ctrl-C is for labctl, which waits for the seconds this takes
        )
    except subprocess.TimeoutExpired as error:
        raise TargetError(f"{wanted.program.name} did not end preparing", _SLOWER) from error
    if done.returncode != 0:
        reason = one_line(done.stderr, limit=400)
        raise TargetError(f"{wanted.program.name} could not prepare: {reason}", _SLOWER)
