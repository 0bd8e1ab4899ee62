"""From where the lines of the log come: the events by what they are about, to choose from."""

from __future__ import annotations

_BEGINNINGS = {
    "resources": ("Step", "Resource", "Plan", "Sweep", "Teardown", "Scale"),
    "machines": ("Machine", "Agent"),
    "jobs": ("Job", "Run"),
    "checks": ("Check",),
    "benchmarks": ("Benchmark",),
    "faults": ("Fault",),
    "keys": ("Credentials", "Keys"),
}
OTHERS = "the rest"
SOURCES = ("", *_BEGINNINGS, OTHERS)  # the first stands for all of them


def source_of(event: str) -> str:
    """Return what an event is about, by its name (`JobFinished`: `jobs`)."""
    return next(
        (source for source, names in _BEGINNINGS.items() if event.startswith(names)), OTHERS
    )
