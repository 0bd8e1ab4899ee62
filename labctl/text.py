"""Makes foreign text harmless for a terminal, and hides secrets in it."""

from __future__ import annotations

import re
import threading

_ESCAPE_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC: titles, clipboard
    r"|\x1b[ -/]*[0-~]"  # two-character escapes
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|[\x90\x98\x9d\x9e\x9f].*?(?:\x07|\x1b\\|\x9c|$)",
    re.DOTALL,
)
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
# What a key looks like wherever it stands: access key ids, and key=value of the secret parts.
_KEY_SHAPES = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|(?i:(?<=aws_secret_access_key=)|(?<=aws_session_token=)|(?<=x-amz-security-token=)"
    r"|(?<=x-amz-signature=))[^\s&\"']+"
)
_secrets: set[str] = set()
_secrets_lock = threading.Lock()


def harmless(text: str, *, limit: int = 4000) -> str:
    """Return text without escape sequences, control, bidi and invisible characters.

    Newlines and tabs stay. What is longer than `limit` characters is cut and says so.
    """
    head = text[: limit * 4]
    clean = _CONTROLS.sub("\ufffd", _ESCAPE_SEQUENCES.sub("", head))
    if len(clean) > limit or len(head) < len(text):
        return f"{clean[:limit]}... ({len(text)} characters)"
    return clean


def one_line(text: str, *, limit: int = 200) -> str:
    """Return harmless text folded to a single line of at most `limit` characters."""
    return harmless(" ".join(text[: limit * 8].split()), limit=limit)


def keep_secret(value: str) -> None:
    """Remember a secret so that `masked` hides it; values under 8 characters are ignored."""
    if len(value) >= 8:
        with _secrets_lock:
            _secrets.add(value)


def masked(text: str) -> str:
    """Return text with every known secret and everything shaped like a key hidden."""
    with _secrets_lock:
        known = sorted(_secrets, key=len, reverse=True)
    for secret in known:
        text = text.replace(secret, "****")
    return _KEY_SHAPES.sub("****", text)
