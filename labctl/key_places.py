"""Learns the secrets that lie on this machine, so that they are masked whoever meets them first.

A command on jobs opens no keys, and a job may hold some all the same.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from labctl.text import keep_secret

_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_FIELD = re.compile(
    r"^\s*\"?(?:aws_secret_access_key|aws_session_token|aws_security_token|secret_key)\"?"
    r"\s*[=:]\s*\"?(?P<value>[^\s\",]+)",
    re.IGNORECASE | re.MULTILINE,
)
_OF_THE_CLOUD = ("session-credentials", "settings.json")
_LONGEST = 2**20  # a file of keys is no longer


def learn_users_keys() -> None:
    """Remember the secrets of the environment and of the user's AWS files."""
    for variable in _VARIABLES:
        keep_secret(os.environ.get(variable, ""))
    _learn_file(_named("AWS_SHARED_CREDENTIALS_FILE", "credentials"))
    _learn_file(_named("AWS_CONFIG_FILE", "config"))


def learn_clouds_keys(state: Path) -> None:
    """Remember the secrets of a state folder's embedded cloud."""
    for name in _OF_THE_CLOUD:
        _learn_file(state / "cloud" / name)


def _named(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable) or f"~/.aws/{name}").expanduser()


def _learn_file(file: Path) -> None:
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            text = opened.read(_LONGEST)
    except (OSError, RuntimeError):  # none, or not ours to read: then nobody here shows it
        return
    for found in _FIELD.finditer(text):
        keep_secret(found["value"])
