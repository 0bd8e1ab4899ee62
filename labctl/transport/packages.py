"""What a program needs of its machine's system, as its `packages.txt` says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from labctl.errors import TransportError
from labctl.transport.base import Bundle

PACKAGES = "packages.txt"
_WORD = re.compile(r"[A-Za-z0-9/][A-Za-z0-9/._+@-]*")


@dataclass(frozen=True, order=True)
class SystemPackage:
    """A package of Debian and Ubuntu."""

    name: str
    program: str  # a command, or the path of a file, that is there when the package is
    service: str = ""  # which comes with it, and would run beside the agent's own


def packages_of(bundled: Bundle) -> tuple[SystemPackage, ...]:
    """Return the packages that the parts of a bundle need, sorted, each once.

    Raises `TransportError` for a line that is not a package, a program and perhaps a service.
    """
    found: set[SystemPackage] = set()
    for name, content in bundled.files.items():
        path = PurePosixPath(name)
        if path.name == PACKAGES and len(path.parts) == 2:
            for line in content.decode().splitlines():
                words = line.split("#", 1)[0].split()
                if words:
                    found.add(_package(name, words))
    return tuple(sorted(found))


def _package(name: str, words: list[str]) -> SystemPackage:
    if len(words) not in (2, 3) or not all(map(_WORD.fullmatch, words)):
        raise TransportError(
            f"{name}: {' '.join(words)!r} names no package",
            "a line is a package, the program it is known by, and perhaps its service",
        )
    return SystemPackage(*words)
