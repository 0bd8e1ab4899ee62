"""Results for tests: made of rates, or drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from labctl.figures.records import Claim, Figure, Node, Published, Result, Subject

SETTINGS = {"flush at commit": "1", "buffer pool": "64 MiB"}


def node(name: str, *, version: str = "10.11.19", machine: str = "2 cores, 7.8 GiB") -> Node:
    return Node(
        name=name,
        machine=machine,
        place="this machine (local cloud)",
        engine="MariaDB InnoDB",
        version=version,
        settings=SETTINGS,
    )


def result(
    rates: Mapping[str, Sequence[float]], *, published: bool = False, version: str = "10.11.19"
) -> Result:
    """Return a result with these rates, subject by subject."""
    return Result(
        benchmark="read-write",
        kind="sysbench",
        say="One server against a cluster",
        lab="db-scaling",
        session="db-scaling",
        target="local",
        at=1_800_000_000.0,
        unit="transactions per s",
        settings={"threads": "4", "rows": "1000"},
        subjects=tuple(
            Subject(
                name=name,
                label="standalone",
                tool="sysbench 1.0.20",
                nodes=(node(f"{name}.0", version=version),),
                client=node("client.0"),
            )
            for name in rates
        ),
        figures=tuple(
            Figure(
                subject=name,
                round=number,
                per_s=rate,
                latency_ms={"avg": 5.0, "p95": 9.5},
                counts={"transactions": rate * 10, "errors": 1},
                served={f"{name}.0": {"Com_select": 140, "Com_insert": 10}},
                raw="what the tool wrote",
            )
            for name, per_s in rates.items()
            for number, rate in enumerate(per_s, start=1)
        ),
        published=Published(
            source="a course report",
            wrong=("it compared no cluster", "single runs"),
            figures={"standalone": Claim(per_s=185.86, latency_ms={"min": 10.56, "p95": 29.72})},
        )
        if published
        else None,
    )


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
results = st.dictionaries(
    names, st.lists(st.floats(0.01, 1e6), min_size=1, max_size=6), min_size=1, max_size=4
).map(result)
