"""The passwords of a session: made up when they are first needed, and kept with its keys."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from labctl.ledger.sessions import SessionFolder
from labctl.paths import private_folder, write_private
from labctl.text import keep_secret

_BYTES = 24  # 32 characters, of letters, digits, dash and underscore


def made_secrets(folder: SessionFolder, names: Iterable[str]) -> dict[str, str]:
    """Return a session's secrets by name; those that it does not have yet are made."""
    found = {}
    for name in names:
        path = private_folder(folder.secrets) / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(_BYTES))
        found[name] = path.read_text()
        keep_secret(found[name])
    return found


def keep_secrets_of(folder: SessionFolder) -> None:
    """Have the secrets of a session hidden in all that this process shows or writes."""
    for path in folder.secrets.glob("[a-z]*"):
        keep_secret(path.read_text())
