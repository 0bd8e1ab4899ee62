"""The system's packages on this machine: which programs are there, and others without root.

What is fetched is unpacked into a folder of labctl's own and installed nowhere; the programs that
use it are told where it lies (`LABCTL_PROGRAMS`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from labctl.errors import TargetError
from labctl.text import one_line

PROGRAMS = "LABCTL_PROGRAMS"
_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")
_TO_INSTALL = re.compile(r"^Inst (\S+) (?:\[[^]]*\] )?\((\S+)", re.MULTILINE)
_TIMEOUT_S = 900.0


def place_of(program: str, fetched: Path) -> Path | None:
    """Return where a command, or a file of the system by its path, is; None when it is not.

    What was fetched comes first, as with the programs that use it.
    """
    roots = (fetched, Path("/"))
    if program.startswith("/"):
        return next((root / program[1:] for root in roots if (root / program[1:]).exists()), None)
    folders = [str(root / folder) for root in roots for folder in _FOLDERS]
    path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
    found = shutil.which(program, path=path)
    return Path(found) if found else None


def fetch(packages: Sequence[str], fetched: Path, *, progress: Callable[[str], None]) -> None:
    """Unpack packages, and those they depend on that are not installed, into `fetched`.

    It is there whole or as it was. Raises `TargetError` where there is no apt, or nothing to get.
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise TargetError(
                f"packages cannot be fetched: there is no {program}",
                f"install with your system's own means: {' '.join(packages)}",
            )
    wanted = _with_dependencies(packages)
    fetched.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=fetched.parent, prefix=".fetching-") as scratch:
        archives, whole = Path(scratch, "archives"), Path(scratch, "whole")
        archives.mkdir()
        if fetched.exists():
            shutil.copytree(fetched, whole, symlinks=True)
        progress(f"fetching {len(wanted)} packages: {', '.join(wanted)}")
        _run(["apt-get", "-q", "download", *wanted], archives)
        for archive in sorted(archives.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(archive), str(whole)], archives)
        if fetched.exists():
            fetched.rename(Path(scratch, "before"))
        whole.rename(fetched)


def _with_dependencies(packages: Sequence[str]) -> list[str]:
    """Return what apt would install for the packages, as `name=version`."""
    command = ["apt-get", "-qq", "-y", "--no-install-recommends", "--dry-run", "install"]
    listed = _run([*command, *packages], Path("/"))
    found = [f"{name}={version}" for name, version in _TO_INSTALL.findall(listed)]
    if not found:
        raise TargetError(
            f"there is nothing to fetch for {' '.join(packages)}",
            "apt says that they are installed: see what `dpkg -L` lists of them",
        )
    return found


def _run(command: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise TargetError(f"{command[0]} did not end in time", "run the command again") from error
    if done.returncode != 0:
        raise TargetError(
            f"{command[0]} failed: {one_line(done.stderr, limit=400)}",
            "it needs the lists of the distribution's packages: sudo apt-get update",
        )
    return done.stdout
