"""How long ago something was, told so coarsely that an idle screen has nothing to draw."""

from __future__ import annotations


def age(span_s: float) -> str:
    """Return a span as people speak of it: `now`, `20 s`, `4 min`, `2 h 10 min`."""
    tens = max(0, round(span_s)) // 10 * 10
    if tens < 60:
        return f"{tens} s" if tens else "now"
    minutes = tens // 60
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def ago(span_s: float) -> str:
    """Return how long ago something was: `now`, `20 s ago`."""
    said = age(span_s)
    return said if said == "now" else f"{said} ago"
