"""Opens files below a folder whose owner is not trusted: no link is ever followed.

What an instance's programs may change, they may also replace by a link to the real machine's
files. Standard library only: the processes inside instances import it too.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path, PurePosixPath

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_folder(root: Path, path: str, *, create: bool = False) -> int:
    """Return a descriptor of the folder at a path below `root`, made with all above on request.

    Raises `OSError` where a part of the path is a link, or no folder.
    """
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in _parts(path):
        try:
            inner = _entered(fd, part, create=create)
        finally:
            os.close(fd)
        fd = inner
    return fd


def _entered(folder: int, name: str, *, create: bool) -> int:
    if create:
        with suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=folder)
    return os.open(name, os.O_RDONLY | _FOLDER, dir_fd=folder)


def _parts(path: str) -> list[str]:
    parts = [part for part in PurePosixPath(path).parts if part != "/"]
    if ".." in parts:
        raise OSError(f"{path} leaves its folder")
    return parts


def open_file(root: Path, path: str, flags: int, mode: int = 0o600) -> int:
    """Return a descriptor of the plain file at a path below `root`; as `os.open` otherwise.

    Raises `OSError` where a part of the path is a link, or it is no plain file.
    """
    *above, name = _parts(path)
    folder = open_folder(root, "/".join(above), create=bool(flags & os.O_CREAT))
    try:
        # Without waiting: a pipe put there must not hold up who opens it.
        more = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(name, flags | more, mode, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path} is no plain file")
    os.set_blocking(fd, True)
    return fd


def read_bytes(root: Path, path: str, *, limit: int = 2**20) -> bytes:
    """Return the start of a file below `root`, of at most `limit` bytes; raises `OSError`."""
    with os.fdopen(open_file(root, path, os.O_RDONLY), "rb") as file:
        return file.read(limit)


def write_bytes(root: Path, path: str, content: bytes, *, mode: int = 0o600) -> None:
    """Replace the content of a file below `root`, made where it is missing; raises `OSError`."""
    fd = open_file(root, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        os.fchmod(fd, mode)


def with_mode(root: Path, path: str, mode: int) -> None:
    """Make a folder below `root` with a mode; raises `OSError`."""
    fd = open_folder(root, path, create=True)
    try:
        os.fchmod(fd, mode)
    finally:
        os.close(fd)
