"""Gathers an agent's files into a bundle that is named by its content, and packs it to travel."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from labctl.errors import TransportError
from labctl.transport.base import Bundle

MOST_BYTES = 20_000_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_LEFT_OUT = {"__pycache__", "tests"}
REQUIREMENTS = "requirements.txt"


def bundle(program_folder: Path, *, shared: Sequence[Path] = ()) -> Bundle:
    """Gather a program's folder, and the packages it shares with others, side by side.

    Hidden files, `__pycache__` and `tests` are left out; links, names that are not UTF-8 and
    more than 20 MB raise `TransportError`.
    """
    files: dict[str, bytes] = {}
    size = 0
    for folder in (program_folder, *shared):
        for path in _files_below(folder):
            content = path.read_bytes()
            size += len(content)
            if size > MOST_BYTES:
                raise TransportError(
                    f"{program_folder} holds more than {MOST_BYTES // 10**6} MB",
                    "an agent is code; put data into a bucket and fetch it from there",
                )
            files[_name_in_bundle(folder, path)] = content
    if f"{program_folder.name}/__main__.py" not in files:
        raise TransportError(
            f"{program_folder} is not a program: it has no __main__.py",
            "an agent is a package that `python -m` can run",
        )
    gathered = Bundle(program_folder.name, files, digest_of(files))
    check_bundle(gathered)
    return gathered


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return the hex SHA-256 over names and contents, whatever their order."""
    whole = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            whole.update(len(part).to_bytes(8, "big"))
            whole.update(part)
    return whole.hexdigest()


def requirements_of(bundled: Bundle) -> tuple[str, ...]:
    """Return the Python requirements that the packages of a bundle name, sorted, each once."""
    found: set[str] = set()
    for name, content in bundled.files.items():
        path = PurePosixPath(name)
        if path.name == REQUIREMENTS and len(path.parts) == 2:
            lines = (line.split("#", 1)[0].strip() for line in content.decode().splitlines())
            found |= {line for line in lines if line}
    return tuple(sorted(found))


def check_bundle(bundled: Bundle) -> None:
    """Raise `TransportError` unless name, digest and file names can be used on a machine."""
    if not _NAME.fullmatch(bundled.name) or ".." in bundled.name:
        raise TransportError(
            f"{bundled.name!r} cannot be the name of an agent",
            "letters, digits, dot, dash and underscore, a letter or digit first",
        )
    if bundled.digest != digest_of(bundled.files):
        raise TransportError(
            f"the bundle {bundled.name} is not what its digest says", "make it with `bundle()`"
        )
    for name in bundled.files:
        parts = name.split("/")
        if "\0" in name or any(part in ("", ".", "..") for part in parts):
            raise TransportError(
                f"{name!r} cannot be the name of a file in a bundle",
                "names are relative, and stay below the bundle's folder",
            )


def archive(bundled: Bundle) -> bytes:
    """Return a bundle as a gzipped tar; the same content gives the same bytes."""
    packed = io.BytesIO()
    # The gzip checksum is what lets the machine notice an archive that arrived in part.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name in sorted(bundled.files):
            entry = tarfile.TarInfo(name)
            entry.size = len(bundled.files[name])
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(bundled.files[name]))
    return packed.getvalue()


def _files_below(folder: Path) -> Iterator[Path]:
    if folder.is_symlink() or not folder.is_dir():
        raise TransportError(f"there is no folder {folder}", "an agent is a folder of files")
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.name in _LEFT_OUT:
            continue
        if entry.is_symlink():
            raise TransportError(
                f"{entry.path} is a link", "an agent's folder holds plain files; copy it there"
            )
        if entry.is_dir():
            yield from _files_below(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)
        else:
            raise TransportError(
                f"{entry.path} is neither a file nor a folder", "remove it from the agent"
            )


def _name_in_bundle(folder: Path, path: Path) -> str:
    name = path.relative_to(folder.parent).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise TransportError(
            f"the name of the file {name!r} is not UTF-8", "rename the file"
        ) from error
    return name
