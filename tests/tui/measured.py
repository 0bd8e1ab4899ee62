"""A recorded benchmark for tests: what the screen is told while a lab is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labctl import bench_events as b
from labctl.events import Event

RATES = {"standalone": [401.5, 398.2, 410.0, 395.1], "cluster": [351.0, 340.2, 362.8, 349.9]}


def started(name: str = "read-write", rounds: int = 4) -> b.BenchmarkStarted:
    """Return the begin of a benchmark."""
    return b.BenchmarkStarted(
        benchmark=name,
        kind="sysbench",
        say="One server against a cluster, four threads",
        unit="transactions per s",
        subjects=tuple(RATES),
        rounds=rounds,
    )


def prepared(name: str = "read-write") -> list[Event]:
    """Return what is told when the subjects are ready."""
    return [
        b.BenchmarkPrepared(
            benchmark=name,
            subject=subject,
            tool="sysbench 1.0.20",
            serves=f"{subject}; MariaDB InnoDB 10.11.19",
            seconds=1.5,
        )
        for subject in RATES
    ]


def rounds(
    name: str = "read-write", rates: Mapping[str, Sequence[float]] = RATES, *, until: int = 4
) -> list[Event]:
    """Return the rounds up to one, as they take turns."""
    told: list[Event] = []
    for number in range(1, until + 1):
        for subject, values in rates.items():
            told += [
                b.BenchmarkRoundStarted(benchmark=name, subject=subject, round=number, rounds=4),
                b.BenchmarkRoundMeasured(
                    benchmark=name,
                    subject=subject,
                    round=number,
                    rounds=4,
                    per_s=values[number - 1],
                    p95_ms=13.22,
                    errors=2 if subject == "cluster" else 0,
                ),
            ]
    return told


def finished(name: str = "read-write", *, why: str = "") -> b.BenchmarkFinished:
    """Return the end of a benchmark."""
    verdicts = {"standalone": "the others are compared with it"}
    verdicts["cluster"] = "really slower than standalone"
    standings = tuple({"subject": key, "verdict": value} for key, value in verdicts.items())
    return b.BenchmarkFinished(benchmark=name, ok=not why, standings=standings, why=why)


def whole(name: str = "read-write") -> list[Event]:
    """Return a benchmark from its begin to its end."""
    return [started(name), *prepared(name), *rounds(name), finished(name)]
