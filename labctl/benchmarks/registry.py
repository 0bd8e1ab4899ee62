"""Which kinds of benchmark there are, found by looking into this package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from labctl.benchmarks.base import Benchmark
from labctl.spec.discovery import discover, unknown_name


@cache
def benchmarks() -> Mapping[str, Benchmark[Any]]:
    """Return every kind of benchmark by its name (`sysbench`)."""
    import labctl.benchmarks

    base: type[Benchmark[Any]] = Benchmark  # type: ignore[type-abstract]  # only its children are made
    return MappingProxyType(discover(labctl.benchmarks, base))


def benchmark(name: str) -> Benchmark[Any]:
    """Return the kind of this name; raises `UsageError` with the valid names."""
    known = benchmarks()
    if name not in known:
        raise unknown_name("kind of benchmark", name, known)
    return known[name]
