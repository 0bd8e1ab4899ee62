"""Finds the server's programs: the system's, or those unpacked below a folder of labctl's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class ProgramsError(Exception):
    """A program that the node needs is not there, or does not run."""


@dataclass(frozen=True)
class Programs:
    """Where the programs lie, and the environment that they run in."""

    prefix: Path  # of a packages' `usr`; "/" for the system's
    environment: Mapping[str, str]

    @staticmethod
    def find(environment: Mapping[str, str]) -> Programs:
        """Look below LABCTL_PROGRAMS if that is set, and on the system."""
        prefix = Path(environment.get("LABCTL_PROGRAMS") or "/")
        folders = [str(prefix / folder) for folder in ("usr/sbin", "usr/bin", "sbin", "bin")]
        path = os.pathsep.join([*folders, environment.get("PATH", os.defpath), "/usr/sbin"])
        found = {**environment, "PATH": path}
        if prefix != Path("/"):
            found["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, _libraries(prefix)))
        return Programs(prefix, found)

    def path(self, name: str) -> str:
        """Return the path of a program; raises `ProgramsError` when there is none."""
        found = shutil.which(name, path=self.environment["PATH"])
        if found is None:
            raise ProgramsError(f"there is no {name}: install mariadb-server")
        return found

    def galera(self) -> Path:
        """Return the path of Galera's library; raises `ProgramsError` when there is none."""
        for folder in ("usr/lib/galera", "usr/lib64/galera-4", "usr/lib64/galera"):
            found = self.prefix / folder / "libgalera_smm.so"
            if found.exists():
                return found
        raise ProgramsError("there is no Galera library: install galera-4")

    def own_folders(self) -> dict[str, str]:
        """Return the options that name the folders which an unpacked server does not find."""
        if self.prefix == Path("/"):
            return {}
        usr = self.prefix / "usr"
        return {
            "basedir": str(usr),
            "lc-messages-dir": str(usr / "share/mysql"),
            "character-sets-dir": str(usr / "share/mysql/charsets"),
            "plugin-dir": str(usr / "lib/mysql/plugin"),
        }

    def version(self) -> str:
        """Return the server's version: `10.11.6-MariaDB`."""
        said = subprocess.run(
            [self.path("mariadbd"), "--no-defaults", "--version"],
            env=self.environment,
            capture_output=True,
            text=True,
        )
        found = re.search(r"\bVer ([0-9][A-Za-z0-9.]*-[A-Za-z]+)", said.stdout)
        if found is None:
            raise ProgramsError(f"mariadbd does not run: {said.stderr.strip()[-300:]}")
        return found[1]


def _libraries(prefix: Path) -> list[Path]:
    return [path for above in ("usr/lib", "lib") for path in _with_libraries(prefix / above)]


def _with_libraries(folder: Path) -> list[Path]:
    return [*sorted(folder.glob("*-linux-gnu")), folder]
