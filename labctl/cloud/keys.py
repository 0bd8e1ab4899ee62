"""Judges the keys that a request to the embedded cloud was signed with."""

from __future__ import annotations

import sys
import time
from enum import Enum
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from labctl.cloud.session_keys import Era, Keyring, Session, read_era

_ACCOUNT = "000000000000"  # the emulator's own
_MARK = "LabctlSession"
_STS = "ministack.services.sts"


class Verdict(Enum):
    """What the keys of a request are worth."""

    GOOD = "good"
    INVALID = "invalid"
    EXPIRED = "expired"


class Keys:
    """All keys that are accepted: the root key, session keys, what the emulator gave out."""

    def __init__(self, *, root_key: str, root_secret: str, era_file: Path) -> None:
        self._root_key = root_key
        # Opening a token costs a few microseconds; most requests bring the same few tokens.
        self._opened = lru_cache(maxsize=256)(Keyring(root_secret).open)
        self._era_file = era_file
        self._era = read_era(era_file)
        self._era_seen = _version(era_file)

    def judge(self, key: str, token: str) -> Verdict:
        """Return what an access key id and the token beside it (or "") are worth now."""
        if key == self._root_key:
            return Verdict.GOOD
        if not key:
            return Verdict.INVALID
        session = self._opened(token) if token else None
        if session is None or session.access_key != key:
            return Verdict.GOOD if _issued(key) else Verdict.INVALID
        if session.expires_at <= time.time() or session.era != self._present_era():
            return Verdict.EXPIRED
        _introduce(session, token)
        return Verdict.GOOD

    def _present_era(self) -> Era:
        # Asked of the file system at every request, for that costs a microsecond or two, and no
        # request that begins after a session's end may still be served.
        version = _version(self._era_file)
        if version != self._era_seen:
            self._era, self._era_seen = read_era(self._era_file), version
        return self._era


def _version(path: Path) -> tuple[int, int]:
    """Return what differs between any two contents of a file that is only ever replaced."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _introduce(session: Session, token: str) -> None:
    """Tell the emulator of a session: it checks the signature of a presigned URL itself."""
    sts = sys.modules.get(_STS) or import_module(_STS)
    if session.access_key in sts._sessions:
        return
    role = {"Arn": f"arn:aws:sts::{_ACCOUNT}:assumed-role/voclabs/student"}
    role |= {"AccountId": _ACCOUNT, "UserId": "AROALABCTL:student", "PrincipalType": "AssumedRole"}
    keys = {"SecretAccessKey": session.secret_key, "SessionToken": token}
    # The emulator forgets it by itself when it has expired.
    ends = {"Expiration": session.expires_at, _MARK: True}
    sts.register_session(session.access_key, role | keys | ends)


def _issued(key: str) -> bool:
    """Tell whether the emulator itself gave out this key, by STS or IAM."""
    sts = sys.modules.get(_STS)
    if sts is not None and key in sts._sessions:
        return _MARK not in sts._sessions[key]
    iam = sys.modules.get("ministack.services.iam")
    if iam is None:
        return False
    return any(
        stored == key and record.get("Status") == "Active"
        for (_, stored), record in iam._access_keys._data.items()
    )
