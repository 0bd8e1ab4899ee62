"""Which kinds of resource there are, found by looking into this package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from labctl.kinds.base import Kind
from labctl.spec.discovery import discover, unknown_name


@cache
def kinds() -> Mapping[str, Kind[Any]]:
    """Return every kind by its name (`sqs.queue`)."""
    import labctl.kinds

    # Stateless kinds of many models stand together here: each model belongs to its own kind.
    base: type[Kind[Any]] = Kind  # type: ignore[type-abstract]  # only its children are made
    return MappingProxyType(discover(labctl.kinds, base))


def kind(name: str) -> Kind[Any]:
    """Return the kind of this name; raises `UsageError` with the valid names."""
    known = kinds()
    if name not in known:
        raise unknown_name("kind", name, known)
    return known[name]
