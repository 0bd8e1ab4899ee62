"""The patterns by which secrets are found in a text: known ones in any spelling, others by shape.

A secret rarely stands in an error as it was given: JSON, a URL or a base64 header spell it anew,
and who shortens a message cuts it in half. So a known one is looked for by its first characters,
in each of those spellings, and hidden with all that is glued to them.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

HIDDEN = "****"
_HEAD = 16  # characters by which a secret is known; a key's have 96 bits
_LEAST_BASE64 = 10  # fewer characters may stand in any text
# What a key or its spelling goes on with.
_BACKSLASH = r"\\{1,8}"  # JSON in JSON in JSON doubles it each time
_MORE = rf"(?:[A-Za-z0-9+/=_-]|%2[BbFf]|%3[Dd]|{_BACKSLASH}/|{_BACKSLASH}u00[23][0-9A-Fa-f])*"
# Of a base64 text that has 0, 1 or 2 bytes before a secret, the characters that depend on those.
_FOREIGN = (0, 2, 3)
_ANCHOR = re.compile(r"[A-Z][A-Za-z0-9]{3}")

# What is a key whoever's it is: access key ids, session tokens (all begin alike), and the values
# of fields that hold a secret. They must be long: a hint may say `aws_session_token: paste it`.
_SHAPES = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    rf"|(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz){_MORE}"
    r"|((?i:secret_?access_?key|session_?token|security[_-]?token|\bsignature)"
    r"(?:\\{0,3}[\"'])?\s{0,4}(?:[=:>]|%3[Dd])\s{0,4}b?(?:\\{0,3}[\"'])?)"
    r"[^\s\"'&,;<>\\]{16,}"
)
# One of these is in every text with such a shape; looking for them is cheap, the pattern is not.
_SIGNS = ("akia", "asia", "iqojb3jp", "fwogzxiv", "fqogzxiv", "token", "signature", "secret")


@dataclass(frozen=True)
class Known:
    """How known secrets are found: `anchors` is in every text where `whole` finds one."""

    anchors: re.Pattern[str]
    whole: re.Pattern[str]


def known(secrets: Iterable[str]) -> Known | None:
    """Return the patterns for some secrets; None for none."""
    found = [part for secret in secrets for part in _parts(secret)]
    if not found:
        return None
    return Known(
        re.compile("|".join(sorted({anchor for anchor, _ in found}))),
        re.compile(f"(?:{'|'.join(sorted({whole for _, whole in found}))}){_MORE}"),
    )


def hide(text: str, secrets: Known | None) -> str:
    """Return text with known secrets, and what is shaped like a key, replaced by `HIDDEN`."""
    if secrets is not None and secrets.anchors.search(text):
        text = secrets.whole.sub(HIDDEN, text)
    lower = text.lower()
    if any(sign in lower for sign in _SIGNS):
        text = _SHAPES.sub(rf"\1{HIDDEN}", text)
    return text


@functools.cache
def _parts(secret: str) -> tuple[tuple[str, str], ...]:
    """Return for each form of a secret a pattern that is cheap to look for, and its whole one."""
    head, rest = secret[:_HEAD], secret[_HEAD:]
    parts = [(_anchor(head), _spelled(head) + (f"(?:{_spelled(rest)})?" if rest else ""))]
    for before, foreign in enumerate(_FOREIGN):
        encoded = base64.b64encode(b"\0" * before + secret.encode(errors="replace")).decode()
        own = encoded.rstrip("=")[foreign:-1][:_HEAD]  # the last one may depend on what follows
        if len(own) >= _LEAST_BASE64:
            parts.append((_anchor(own), _spelled(own)))
    return tuple(parts)


def _anchor(head: str) -> str:
    """Return a pattern for a few characters of a head that stand in it however it is spelled.

    Capitals are rare in what labctl says, so a search for some of them passes over most of it.
    """
    found = _ANCHOR.search(head)
    return found[0] if found else _spelled(head)


def _spelled(text: str) -> str:
    return "".join(map(_spellings, text))


@functools.cache
def _spellings(char: str) -> str:
    """Return a pattern for a character as it is, and as JSON and URLs may write it."""
    if char.isascii() and char.isalnum():
        return char
    forms = {char, json.dumps(char)[1:-1], f"\\{char}" if char in '"/\\' else char}
    for number in (quote(char, safe=""), f"\\u{ord(char):04x}"):
        forms |= {number, number.lower(), number[:2] + number[2:].upper()}
    patterns = map(_escaped, sorted(forms, key=len, reverse=True))
    return f"(?:{'|'.join(patterns)})"


def _escaped(form: str) -> str:
    if len(form) > 1 and form.startswith("\\"):
        return _BACKSLASH + re.escape(form[1:])
    return re.escape(form)
