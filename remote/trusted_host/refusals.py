"""Why a query is not let through."""

from __future__ import annotations


class RefusedQuery(Exception):
    """The query is not let through; its text is one line that a person can act on."""


def shown(name: object) -> str:
    """Return foreign text for a reason: short, in ASCII, on one line."""
    text = ascii(str(name))[1:-1]
    return text if len(text) <= 40 else text[:37] + "..."
