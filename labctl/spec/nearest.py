"""Finds the valid name that somebody who wrote an unknown one most likely meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest_hint(name: str, valid: Iterable[str]) -> str:
    """Return a hint for an unknown name: the near ones if there are, else all that are valid."""
    names = sorted(set(valid))
    if not names:
        return ""
    near = _near(name, names)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"valid: {', '.join(names)}"


def _near(name: str, names: list[str]) -> list[str]:
    # Imported late: only a mistake needs it, and `labctl list` is quick.
    from difflib import get_close_matches

    folded = {known.casefold(): known for known in names}
    return [folded[match] for match in get_close_matches(name.casefold(), folded, n=2)]
