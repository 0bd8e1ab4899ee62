"""Hides the keys that a worker signs with in what it says: a service may send back what it got."""

from __future__ import annotations

import re
import threading
from urllib.parse import quote

_HEAD = 16  # characters by which a secret is known, for who shortens a message cuts it in half
_MORE = r"(?:[A-Za-z0-9+/=_-]|%[0-9A-Fa-f]{2})*"
_SIGNED = re.compile(r"((?i:signature|security-token)(?:=|%3[Dd]|: ?))[^\s\"'&,\\]{16,}")
_known: set[str] = set()
_lock = threading.Lock()
_heads: dict[str, re.Pattern[str]] = {}  # a new one for each change: threads read it


def keep_secrets(*values: str | None) -> None:
    """Remember secrets so that `masked` hides them; cheap for those it knows."""
    global _heads
    for value in values:
        if value and value not in _known:
            found = {form[:_HEAD] for form in (value, quote(value, safe=""))}
            made = {head: re.compile(re.escape(head) + _MORE) for head in found}
            with _lock:
                _heads = _heads | made
                _known.add(value)


def masked(text: str) -> str:
    """Return text with every known secret, and the proofs in signed requests, hidden."""
    for head, pattern in _heads.items():
        if head in text:
            text = pattern.sub("****", text)
    if "ignature" in text or "ecurity" in text:  # the pattern costs more than to look for them
        text = _SIGNED.sub(r"\1****", text)
    return text
