"""What the screen says of keys that end, in few words; pure, no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.errors import CredentialsError
from labctl.telling import roughly

if TYPE_CHECKING:
    from labctl.targets.base import KeysReport

SHORT_BELOW = 60  # columns: then there is room for few words only


def left_words(report: KeysReport | None, now: float, *, short: bool = False) -> str:
    """Return for a head when keys end: `keys: about 42 min`; nothing where they do not."""
    if report is None or not report.temporary:
        return ""
    if report.why and not report.unasked:
        return "keys: ended"
    if report.ends_at is None:
        return "" if short else "keys: end not known"
    left_s = report.ends_at - now
    if left_s <= 0:  # an estimate that was wrong, for they are still accepted; else nobody knows
        return "keys: end soon" if report.about else "keys: ended"
    about = "~" if short else "about "
    return f"keys: {about if report.about else ''}{roughly(left_s)}"


def paste_words(held: str) -> tuple[str, bool]:
    """Return what may be said of a pasted text, and whether it is whole; nothing of it is told."""
    from labctl.targets.key_file import LONGEST_PASTE, parse_pasted

    lines = sum(1 for line in held.splitlines() if line.strip())
    if not lines:
        return "paste the block here; it is not shown", False
    count = f"{lines} line{'s' if lines > 1 else ''}"
    if len(held) > LONGEST_PASTE:
        return f"{len(held):,} characters: that is no block of credentials", False
    try:
        parse_pasted(held)
    except CredentialsError as error:
        return f"{count}; {error.message}", False
    return f"{count}, complete", True
