"""sysbench's output is read whole or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.benchmarks.sysbench_output import parse, version

OUTPUT = """\
sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)

Running the test with following options:
Number of threads: 2

Threads started!

SQL statistics:
    queries performed:
        read:                            {reads}
        write:                           {writes}
        other:                           {other}
        total:                           {queries}
    transactions:                        {transactions}    ({per_s:.2f} per sec.)
    queries:                             {queries}   ({queries_per_s:.2f} per sec.)
    ignored errors:                      {errors}      ({errors_per_s:.2f} per sec.)
    reconnects:                          0      (0.00 per sec.)

General statistics:
    total time:                          {seconds:.4f}s
    total number of events:              {transactions}

Latency (ms):
         min:                                 {min:>7.2f}
         avg:                                 {avg:>7.2f}
         max:                                 {max:>7.2f}
         95th percentile:                     {p95:>7.2f}
         sum:                                 2017.24

Threads fairness:
    events (avg/stddev):           195.5000/0.50
    execution time (avg/stddev):   1.0086/0.01

"""
counts = st.integers(0, 10**9)
times = st.floats(0.001, 1e5)


@st.composite
def runs(draw: st.DrawFn) -> dict[str, float]:
    low, middle, high, top = sorted(draw(st.tuples(times, times, times, times)))
    transactions, errors, seconds = draw(counts), draw(counts), draw(times)
    return {
        "reads": transactions * 14,
        "writes": transactions * 4,
        "other": transactions * 2,
        "queries": transactions * 20,
        "transactions": transactions,
        "per_s": transactions / seconds,
        "queries_per_s": transactions * 20 / seconds,
        "errors": errors,
        "errors_per_s": errors / seconds,
        "seconds": seconds,
        "min": low,
        "avg": middle,
        "p95": high,
        "max": top,
    }


@given(runs())
def test_what_was_printed_is_read(run: dict[str, float]) -> None:
    found = parse(OUTPUT.format(**run))
    assert found is not None
    assert found.per_s == pytest.approx(run["per_s"], abs=0.006)
    assert found.queries_per_s == pytest.approx(run["queries_per_s"], abs=0.006)
    assert found.seconds == pytest.approx(run["seconds"], abs=0.00006)
    for name in ("transactions", "reads", "writes", "queries", "errors"):
        assert found.counts[name] == run[name]
    for name in ("min", "avg", "p95", "max"):
        assert found.latency_ms[name] == pytest.approx(run[name], abs=0.006)


@given(runs(), st.data())
def test_of_an_output_that_was_cut_short_nothing_is_taken(
    run: dict[str, float], data: st.DataObject
) -> None:
    whole = OUTPUT.format(**run)
    end = data.draw(st.integers(0, whole.index("95th percentile") - 1))
    assert parse(whole[:end]) is None


@given(st.text())
def test_any_text_may_come(text: str) -> None:
    assert parse(text) is None
    version(text)


def test_the_version_is_read() -> None:
    assert version("sysbench 1.0.20\n") == "1.0.20"
    assert version("bash: sysbench: command not found") == ""
