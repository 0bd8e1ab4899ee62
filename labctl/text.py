"""Makes foreign text harmless for a terminal, and hides secrets in it.

Whatever labctl shows or keeps of a text passes `masked`, by itself or in `harmless`: it is the
only place that knows the secrets.
"""

from __future__ import annotations

import re
import threading

from labctl import masking

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
_LONGEST_SPELLING = 4096  # characters; a secret that begins before the end of a text is whole
_secrets: set[str] = set()
_secrets_lock = threading.RLock()  # a signal handler may write while its thread holds it
_known: masking.Known | None = None
_are_new = False  # secrets came since the patterns were made


def harmless(text: str, *, limit: int = 4000) -> str:
    """Return text without secrets, escape sequences, control, bidi and invisible characters.

    Newlines and tabs stay. What is longer than `limit` characters is cut and says so.
    """
    head = text[: limit * 4 + _LONGEST_SPELLING]
    # Masked before it is cut, and last: a sequence in the middle of a secret would part it.
    clean = masked(_CONTROLS.sub("\ufffd", _ESCAPE_SEQUENCES.sub("", head)))
    if len(clean) > limit or len(head) < len(text):
        return f"{clean[:limit]}... ({len(text)} characters)"
    return clean


def one_line(text: str, *, limit: int = 200) -> str:
    """Return harmless text folded to a single line of at most `limit` characters."""
    head = text[: limit * 8 + _LONGEST_SPELLING]
    return harmless(" ".join(head.split()), limit=limit)


def keep_secret(value: str) -> None:
    """Remember a secret so that `masked` hides it; values under 8 characters are ignored."""
    global _are_new
    if len(value) >= 8 and value not in _secrets:
        with _secrets_lock:
            _secrets.add(value)
            _are_new = True


def masked(text: str) -> str:
    """Return text with every known secret and everything shaped like a key hidden."""
    global _known, _are_new
    if _are_new:
        with _secrets_lock:
            _known, _are_new = masking.known(_secrets), False
    return masking.hide(text, _known)
