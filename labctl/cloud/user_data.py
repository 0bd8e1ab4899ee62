"""Reads an instance's user data: the part of cloud-init that a local instance can do."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_MOST_BYTES = 4 * 2**20  # unpacked; EC2 itself takes 16 KiB
_SILENT = frozenset(["ssh_deletekeys"])


@dataclass(frozen=True)
class FileToWrite:
    """One file of `write_files`, by its path on a real machine."""

    path: str
    content: bytes
    mode: int = 0o644
    append: bool = False


@dataclass
class UserData:
    """What to do at the first boot; `notes` name what was asked for but is not done here."""

    host_key: str = ""  # OpenSSH private key, ed25519
    authorized_keys: list[str] = field(default_factory=list)
    files: list[FileToWrite] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)  # each one `#!...`, or shell commands
    notes: list[str] = field(default_factory=list)


def read_user_data(encoded: str) -> UserData:
    """Return what user data asks for (base64, as EC2 hands it on); never raises on bad input."""
    found = UserData()
    try:
        text = _unpacked(encoded).decode()
    except (binascii.Error, UnicodeDecodeError, OSError, EOFError, ValueError) as error:
        found.notes.append(f"the user data cannot be read: {error}")
        return found
    if text.startswith("#!"):
        found.scripts.append(text)
    elif text.startswith("#cloud-config"):
        _read_cloud_config(found, text)
    elif text.strip():
        found.notes.append("the user data is neither a #! script nor #cloud-config: ignored")
    return found


def _unpacked(encoded: str) -> bytes:
    data = base64.b64decode(encoded)
    if data[:2] == b"\x1f\x8b":
        with gzip.open(io.BytesIO(data)) as packed:
            data = packed.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError("more than 4 MiB")
    return data


def _read_cloud_config(found: UserData, text: str) -> None:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        found.notes.append(f"the cloud-config is no YAML: {error}")
        return
    if not isinstance(content, dict):
        return
    readers = {
        "ssh_keys": _read_host_keys,
        "ssh_authorized_keys": _read_authorized_keys,
        "write_files": _read_files,
        "runcmd": _read_commands,
        "packages": _read_packages,
    }
    for key, value in content.items():
        reader = readers.get(key)
        try:
            if reader is not None:
                reader(found, value)
            elif key not in _SILENT:
                found.notes.append(f"{key}: not done on a local instance")
        except (AttributeError, TypeError, ValueError, KeyError, OSError) as error:
            found.notes.append(f"{key}: not understood ({error})")


def _read_host_keys(found: UserData, value: Any) -> None:  # noqa: ANN401 - any YAML
    found.host_key = value.get("ed25519_private", "")


def _read_authorized_keys(found: UserData, value: Any) -> None:  # noqa: ANN401 - any YAML
    found.authorized_keys += [str(line) for line in value]


def _read_files(found: UserData, value: Any) -> None:  # noqa: ANN401 - any YAML
    for entry in value:
        content = entry.get("content", "")
        data = content if isinstance(content, bytes) else str(content).encode()
        encoding = str(entry.get("encoding", ""))
        if any(word in encoding for word in ("b64", "base64")):
            data = base64.b64decode(b"".join(data.split()), validate=True)
        if "gz" in encoding:
            data = gzip.decompress(data)
        mode = int(str(entry.get("permissions", "0644")), 8)
        found.files.append(
            FileToWrite(str(entry["path"]), data, mode=mode, append=bool(entry.get("append")))
        )


def _read_packages(found: UserData, value: Any) -> None:  # noqa: ANN401 - any YAML
    """Note what is there: nothing is ever installed, that would change the real machine."""
    for entry in value:
        name = str(entry[0] if isinstance(entry, list) else entry)
        listed = Path("/var/lib/dpkg/info") / f"{Path(name).name}.list"
        if shutil.which(name) or listed.exists():
            found.notes.append(f"packages: {name} is there, as this machine's own")
        else:
            found.notes.append(
                f"packages: {name} is not on this machine: install it here, or run the lab on AWS"
            )


def _read_commands(found: UserData, value: Any) -> None:  # noqa: ANN401 - any YAML
    lines = [
        shlex.join(map(str, command)) if isinstance(command, list) else str(command)
        for command in value
    ]
    found.scripts.append("\n".join(lines) + "\n")
