"""Which forms of check there are, found by looking into this package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from labctl.checks.base import Check
from labctl.spec.discovery import discover, unknown_name


@cache
def checks() -> Mapping[str, Check[Any]]:
    """Return every check by its name (`jobs`)."""
    import labctl.checks

    base: type[Check[Any]] = Check  # type: ignore[type-abstract]  # only its children are made
    return MappingProxyType(discover(labctl.checks, base))


def check(name: str) -> Check[Any]:
    """Return the check of this name; raises `UsageError` with the valid names."""
    known = checks()
    if name not in known:
        raise unknown_name("check", name, known)
    return known[name]
