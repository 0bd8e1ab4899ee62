"""Where labctl keeps what it writes, and where the files it ships are."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def state_folder() -> Path:
    """Return the one folder that holds all of labctl's state, made 0700 when it is missing.

    `LABCTL_STATE` names it; without that it is the platform's state folder (XDG on Linux).
    """
    named = os.environ.get("LABCTL_STATE")
    if named:
        folder = Path(named).expanduser().absolute()
    else:
        # Imported late: the variable is the common case in scripts and tests.
        from platformdirs import user_state_path

        folder = user_state_path("labctl")
    return private_folder(folder)


def private_folder(folder: Path) -> Path:
    """Make a folder that only its owner may enter (0700), parents included, and return it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that only its owner may read (0600), whole or not at all."""
    data = content.encode() if isinstance(content, str) else content
    # Threads of one process may write the same file at once: the last one wins.
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def shipped(*parts: str) -> Path:
    """Return the path of a file or folder that labctl ships: `labs`, `profiles`, `remote`.

    In a wheel they lie inside the package; in a source tree beside it.
    """
    package = Path(__file__).resolve().parent
    packed = package / "_data"
    return (packed if packed.is_dir() else package.parent).joinpath(*parts)
