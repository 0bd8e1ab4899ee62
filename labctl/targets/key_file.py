"""Reads and writes profiles of an AWS credentials file, and understands a pasted block of keys."""

from __future__ import annotations

import configparser
import datetime
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from labctl.errors import CredentialsError
from labctl.paths import write_private
from labctl.text import keep_secret

_ACCESS, _SECRET, _TOKEN = "aws_access_key_id", "aws_secret_access_key", "aws_session_token"
_STALE_TOKEN = "aws_security_token"  # an old name of the token; boto3 lets it win
# What tools that fetch keys write beside them; all are dates.
_END_FIELDS = ("aws_credential_expiration", "x_security_token_expires", "aws_expiration")
_OURS = {_ACCESS, _SECRET, _TOKEN, _STALE_TOKEN, *_END_FIELDS}
# `name=value` of a profile, of `export`, of `set` and of PowerShell's `$Env:`, quoted or not.
_ASSIGNMENT = re.compile(
    r"^\s*(?:export\s+|set\s+|\$env:)?(?P<name>aws_\w+|x_security_token_expires)\s*=\s*"
    r"(?P<value>.*?)\s*$",
    re.IGNORECASE,
)
LONGEST_PASTE = 20_000


@dataclass(frozen=True)
class Keys:
    """An access key with its secret and, for a session that ends, its token."""

    access_key: str
    secret_key: str
    token: str | None = None
    ends_at: float | None = None  # unix seconds; None: not said

    def __repr__(self) -> str:
        return f"Keys({self.access_key[:4]}...)"


def parse_pasted(text: str) -> Keys:
    """Return the keys in a pasted block: a profile's lines, `export`s or `$Env:`s.

    Raises `CredentialsError` naming what is missing; nothing of the text is quoted.
    """
    found: dict[str, str] = {}
    for line in text[:LONGEST_PASTE].splitlines():
        match = _ASSIGNMENT.match(line)
        if match:
            found[match["name"].lower()] = match["value"].strip("\"';")
    missing = [name for name in (_ACCESS, _SECRET) if not found.get(name)]
    if not missing and is_temporary(found[_ACCESS]) and not found.get(_TOKEN):
        missing = [_TOKEN]
    if missing:
        hint = "copy the whole block: a key id, a secret key and, for a lab account, a token"
        raise CredentialsError(f"what was pasted lacks {', '.join(missing)}", hint)
    keys = Keys(found[_ACCESS], found[_SECRET], found.get(_TOKEN) or None, end_said(found))
    keep_secret(keys.secret_key)
    keep_secret(keys.token or "")
    return keys


def is_temporary(access_key: str) -> bool:
    """Return whether keys with such an id end by themselves, and then need their token."""
    return access_key.startswith("ASIA")


def profile_section(file: Path, profile: str) -> dict[str, str]:
    """Return the lines of a profile; empty when there is no such profile, or half of a file."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(file, encoding="utf-8")
        return dict(parser[profile])
    except (configparser.Error, KeyError, UnicodeDecodeError):
        return {}


def end_said(section: dict[str, str]) -> float | None:
    """Return when the keys of a profile end by its own words, in unix seconds."""
    for name in _END_FIELDS:
        try:
            moment = datetime.datetime.fromisoformat(section[name].strip().replace("Z", "+00:00"))
        except (KeyError, ValueError):
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        return moment.timestamp()
    return None


def stale_token_line(file: Path, profile: str) -> int | None:
    """Return the line of a left-over `aws_security_token` that beats the `aws_session_token`."""
    section = profile_section(file, profile)
    if _STALE_TOKEN not in section or section.get(_TOKEN) in (None, section[_STALE_TOKEN]):
        return None
    lines = file.read_text(encoding="utf-8").splitlines()
    first, last = _bounds(lines, profile)
    within = enumerate(lines[first:last], first + 1)
    places = (number for number, line in within if _name_of(line) == _STALE_TOKEN)
    return next(places, None)


def save_profile(file: Path, profile: str, keys: Keys) -> None:
    """Put keys into a profile of a credentials file: whole or not at all, 0600.

    Everything else in the file stays as it is, comments and other profiles included.
    """
    file = file.resolve()  # a link to a file elsewhere stays one
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    first, last = _bounds(lines, profile)
    kept = [line for line in lines[first:last] if _name_of(line) not in _OURS]
    while kept and not kept[-1].strip():
        kept.pop()
    if first:
        before, after = lines[:first], lines[last:]
    else:
        before, after = [*lines, *([""] if lines else []), f"[{profile}]"], []
    if after:
        after = ["", *after]
    write_private(file, "\n".join([*before, *_profile_lines(keys), *kept, *after]) + "\n")


def _profile_lines(keys: Keys) -> list[str]:
    lines = [f"{_ACCESS} = {keys.access_key}", f"{_SECRET} = {keys.secret_key}"]
    if keys.token:
        lines.append(f"{_TOKEN} = {keys.token}")
    if keys.ends_at is not None:
        moment = datetime.datetime.fromtimestamp(keys.ends_at, datetime.UTC)
        lines.append(f"{_END_FIELDS[0]} = {moment:%Y-%m-%dT%H:%M:%SZ}")
    return lines


def profile_text(keys: Keys) -> str:
    """Return a credentials file with these keys as its only profile."""
    return "\n".join(["[default]", *_profile_lines(keys)]) + "\n"


def _bounds(lines: list[str], profile: str) -> tuple[int, int]:
    """Return the first line after a profile's header and the one after its last; 0, 0: none."""
    heads = [at for at, line in enumerate(lines) if line.lstrip().startswith("[")]
    for head, following in pairwise([*heads, len(lines)]):
        if lines[head].strip().strip("[]").strip() == profile:
            return head + 1, following
    return 0, 0


def _name_of(line: str) -> str:
    return line.partition("=")[0].strip().lower()
