"""The one way in which a request, a picture or a result is turned down."""

from __future__ import annotations


class Refused(Exception):
    """Its text is the reason for the person who asked: one line, nothing a stranger wrote in it."""
