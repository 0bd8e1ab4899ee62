"""Reads what sysbench 1.0 writes at the end of an OLTP run."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_FIELDS = {
    "reads": rf"^ +read: +{_NUMBER}$",
    "writes": rf"^ +write: +{_NUMBER}$",
    "transactions": rf"^ +transactions: +{_NUMBER} +\({_NUMBER} per sec\.\)$",
    "queries": rf"^ +queries: +{_NUMBER} +\({_NUMBER} per sec\.\)$",
    "errors": rf"^ +ignored errors: +{_NUMBER} +\({_NUMBER} per sec\.\)$",
    "reconnects": rf"^ +reconnects: +{_NUMBER} +\({_NUMBER} per sec\.\)$",
    "seconds": rf"^ +total time: +{_NUMBER}s$",
    "min": rf"^ +min: +{_NUMBER}$",
    "avg": rf"^ +avg: +{_NUMBER}$",
    "max": rf"^ +max: +{_NUMBER}$",
    "p95": rf"^ +95th percentile: +{_NUMBER}$",
}
_VERSION = re.compile(r"^sysbench ([0-9]\S*)", re.MULTILINE)
_LATENCIES = ("min", "avg", "p95", "max")


@dataclass(frozen=True)
class Parsed:
    """What a run did: rates a second, counts, latencies in milliseconds."""

    per_s: float
    queries_per_s: float
    seconds: float
    counts: dict[str, float]
    latency_ms: dict[str, float]


def parse(output: str) -> Parsed | None:
    """Return the figures of a whole run; None when any is missing, as of one that was cut short."""
    found = {}
    for name, pattern in _FIELDS.items():
        match = re.search(pattern, output, re.MULTILINE)
        if match is None:
            return None
        found[name] = match
    values = {name: float(match[1]) for name, match in found.items()}
    return Parsed(
        per_s=float(found["transactions"][2]),
        queries_per_s=float(found["queries"][2]),
        seconds=values.pop("seconds"),
        latency_ms={name: values.pop(name) for name in _LATENCIES},
        counts=values,
    )


def version(output: str) -> str:
    """Return the version that sysbench says it has; empty when it says none."""
    match = _VERSION.search(output)
    return match[1] if match else ""
