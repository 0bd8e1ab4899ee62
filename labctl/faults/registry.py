"""Which faults there are, found by looking into this package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from labctl.faults.base import Fault
from labctl.spec.discovery import discover


@cache
def faults() -> Mapping[str, Fault]:
    """Return every fault by its name (`stop`)."""
    import labctl.faults

    base: type[Fault] = Fault  # type: ignore[type-abstract]  # only its children are made
    return MappingProxyType(discover(labctl.faults, base))
