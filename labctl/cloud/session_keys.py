"""Session keys: an access key whose token says until when it lives, and proves who wrote that.

The command that issues keys and the guard that judges them are different processes. The tokens
describe themselves and are signed with what both know already, the root secret. So there is no
list of sessions to share, to lock, to grow or to lose at a restart; all keys of an era end at
once when the one small file that names the present era changes. An era is a random name and no
time, so that a clock that is set back brings no keys back to life.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass, field
from pathlib import Path

from labctl.paths import write_private
from labctl.text import keep_secret

Era = bytes

_FIRST_ERA: Era = bytes(8)
_CLAIMS = struct.Struct(">d8s10s")  # expires at, era, serial: 10 bytes are 16 letters of base32
_MOST_TOKEN = 256


@dataclass(frozen=True)
class SessionKeys:
    """Keys that expire; unlike an account's own they come with a token."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: float  # unix seconds

    def block(self) -> str:
        """Return the keys as AWS Academy shows them, for an AWS credentials file."""
        return (
            "[default]\n"
            f"aws_access_key_id={self.access_key}\n"
            f"aws_secret_access_key={self.secret_key}\n"
            f"aws_session_token={self.token}\n"
        )


@dataclass(frozen=True)
class Session:
    """What a genuine token says."""

    access_key: str
    secret_key: str = field(repr=False)
    era: Era
    expires_at: float  # unix seconds


class Keyring:
    """Makes session keys and opens their tokens; cheap to make."""

    def __init__(self, root_secret: str) -> None:
        keep_secret(root_secret)
        self._key = hashlib.sha256(b"labctl session keys\0" + root_secret.encode()).digest()

    def issue(self, *, expires_at: float, era: Era) -> SessionKeys:
        """Return fresh keys that live until `expires_at`, or until their era ends."""
        claims = _CLAIMS.pack(expires_at, era, secrets.token_bytes(10))
        token = base64.b64encode(claims + self._sign(b"token", claims)).decode()
        session = self._session(claims)
        keep_secret(session.secret_key)
        keep_secret(token)
        return SessionKeys(session.access_key, session.secret_key, token, expires_at)

    def open(self, token: str) -> Session | None:
        """Return what a token says; None for one that this keyring did not issue."""
        if len(token) > _MOST_TOKEN:
            return None
        try:
            content = base64.b64decode(token, validate=True)
        except ValueError:
            return None
        claims, signature = content[: _CLAIMS.size], content[_CLAIMS.size :]
        if not hmac.compare_digest(signature, self._sign(b"token", claims)):
            return None
        session = self._session(claims)
        keep_secret(session.secret_key)
        keep_secret(token)
        return session

    def _session(self, claims: bytes) -> Session:
        expires_at, era, serial = _CLAIMS.unpack(claims)
        access_key = "ASIA" + base64.b32encode(serial).decode()
        secret = base64.b64encode(self._sign(b"secret", claims)).decode()[:40]
        return Session(access_key, secret, era, expires_at)

    def _sign(self, purpose: bytes, claims: bytes) -> bytes:
        return hmac.digest(self._key, purpose + b"\0" + claims, "sha256")


def read_era(path: Path) -> Era:
    """Return the present era; whatever the file contains names one."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()[: len(_FIRST_ERA)]
    except FileNotFoundError:
        return _FIRST_ERA


def begin_era(path: Path) -> None:
    """End every session of the present era, at once and for good."""
    write_private(path, secrets.token_hex(16))
