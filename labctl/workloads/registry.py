"""Which workloads there are, found by looking into this package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from labctl.spec.discovery import discover, unknown_name
from labctl.workloads.base import Workload


@cache
def workloads() -> Mapping[str, Workload[Any]]:
    """Return every workload by its name (`numbers`)."""
    import labctl.workloads

    base: type[Workload[Any]] = Workload  # type: ignore[type-abstract]  # only its children are made
    return MappingProxyType(discover(labctl.workloads, base))


def workload(name: str) -> Workload[Any]:
    """Return the workload of this name; raises `UsageError` with the valid names."""
    known = workloads()
    if name not in known:
        raise unknown_name("workload", name, known)
    return known[name]
