"""Sums up latencies."""

from __future__ import annotations

from collections.abc import Sequence


def summary(latencies_ms: Sequence[float]) -> dict[str, float]:
    """Return the least, middle, mean, 95th percentile and most, in milliseconds; empty of none."""
    if not latencies_ms:
        return {}
    ordered = sorted(latencies_ms)

    def at(part: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]

    return {
        "min": ordered[0],
        "p50": at(0.5),
        "avg": sum(ordered) / len(ordered),
        "p95": at(0.95),
        "max": ordered[-1],
    }
