"""Proves that a form that comes back is one that this gatekeeper gave to this very visitor."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

COOKIE = "visitor"
_VISITOR = re.compile(r"[A-Za-z0-9_-]{43}")


class Tokens:
    """Signs visitors' names; the key lives and dies with the process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def visitor(self, cookie: str | None) -> str:
        """Return the visitor's name, a new one when the cookie holds none."""
        if cookie is not None and _VISITOR.fullmatch(cookie):
            return cookie
        return secrets.token_urlsafe(32)

    def token(self, visitor: str) -> str:
        """Return what a form for this visitor carries."""
        return hmac.new(self._key, visitor.encode(), hashlib.sha256).hexdigest()

    def holds(self, visitor: str | None, token: object) -> bool:
        """Whether a form that came with this cookie carries what it was given."""
        if visitor is None or not isinstance(token, str) or not token.isascii():
            return False
        return hmac.compare_digest(self.token(visitor), token)
