"""A result as rows and lines of text, the same for a terminal, Markdown and the screen."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from labctl.figures.records import Node, Result, Subject
from labctl.figures.standing import (
    Against,
    Standing,
    against,
    standings,
    verdict,
    verdict_against,
)
from labctl.figures.statistics import Comparison, Spread

COLUMNS = (
    "subject",
    "median",
    "quartiles",
    "range",
    "p50 ms",
    "p95 ms",
    "errors",
    "ratio (95 %)",
    "verdict",
)
PUBLISHED_COLUMNS = ("theirs", "per s", "min / avg / p95 / max ms", "beside ours")
AGAINST_COLUMNS = ("subject", "before", "now", "ratio (95 %)", "verdict")
_LATENCIES = ("min", "avg", "p95", "max")


def rate(value: float) -> str:
    """Return a rate in as many digits as it deserves: `12,345`, `123.4`, `1.23`."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def headline(result: Result) -> str:
    """Return what was measured, by what and how, in one line."""
    tools = " and ".join(dict.fromkeys(each.tool for each in result.subjects))
    settings = ", ".join(f"{name} {value}" for name, value in result.settings.items())
    rounds = f"{result.rounds} rounds" if result.rounds != 1 else "1 round"
    what = f"{result.unit} by {tools}" if tools else result.unit
    return f"{result.benchmark}: {what}; {settings}; {rounds}, taking turns"


def rows(result: Result) -> list[list[str]]:
    """Return a row for each subject, under `COLUMNS`."""
    found = standings(result)
    return [_row(each, comparisons=len(found) - 1) for each in found]


def _row(each: Standing, *, comparisons: int) -> list[str]:
    return [
        each.subject,
        rate(each.rate.median),
        _around(each.rate.low, each.rate.high),
        _around(each.rate.least, each.rate.most),
        *_latencies(each),
        str(each.errors),
        ratio(each.comparison) if each.comparison else "1",
        verdict(each, comparisons=comparisons),
    ]


def _latencies(each: Standing) -> tuple[str, str]:
    """Return the middle latency, the mean where the tool tells no other, and the p95."""
    known = {name: f"{value:.2f}" for name, value in each.latency_ms.items()}
    mean = f"avg {known['avg']}" if "avg" in known else "-"
    return known.get("p50", mean), known.get("p95", "-")


def _around(low: float, high: float) -> str:
    return f"{rate(low)} .. {rate(high)}"


def ratio(found: Comparison) -> str:
    """Return a ratio with its interval, or the range of too few: `1.32 (1.10 .. 1.58)`."""
    of = "" if found.is_interval else "range "
    return f"{found.ratio:.2f} ({of}{found.low:.2f} .. {found.high:.2f})"


def published_rows(result: Result) -> list[list[str]]:
    """Return the original's figures, under `PUBLISHED_COLUMNS`, each beside our median."""
    if result.published is None:
        return []
    ours = {each.subject: each.rate for each in standings(result)}
    found = []
    for name, claim in result.published.figures.items():
        latencies = [claim.latency_ms.get(each) for each in _LATENCIES]
        shown = " / ".join("-" if each is None else f"{each:g}" for each in latencies)
        found.append([name, f"{claim.per_s:g}", shown, _beside(ours.get(name))])
    return found


def _beside(ours: Spread | None) -> str:
    return f"ours: {rate(ours.median)}" if ours else "not measured here"


def published_lines(result: Result) -> list[str]:
    """Return where the original's figures are from, and what was wrong with them."""
    if result.published is None:
        return []
    lines = [f"Theirs, not ours: {result.published.source}. What was wrong there:"]
    return [*lines, *(f"- {wrong}" for wrong in result.published.wrong)]


def against_rows(found: list[Against]) -> list[list[str]]:
    """Return a row for each subject that a baseline has too, under `AGAINST_COLUMNS`."""
    return [
        [
            each.subject,
            rate(each.before.median),
            rate(each.now.median),
            ratio(each.comparison) if each.comparison else "-",
            verdict_against(each),
        ]
        for each in found
    ]


def beside_baseline(result: Result, before: list[Result]) -> list[Against]:
    """Return the subjects of a result beside those of the same benchmark among earlier ones."""
    same = [each for each in before if each.benchmark == result.benchmark]
    return against(result, same[-1]) if same else []


def about_lines(result: Result) -> Iterator[str]:
    """Yield what served and from where the load came: engine, version, settings, machines."""
    yield time.strftime("measured %Y-%m-%d %H:%M:%S", time.localtime(result.at))
    for subject in result.subjects:
        yield f"{subject.name}: {subject.label}"
        yield from (f"  {line}" for line in _node_lines(subject.nodes))
    clients = {each.client.name: each.client for each in result.subjects if each.client}
    yield from (f"load from {line}" for line in _node_lines(list(clients.values())))
    yield from (f"note: {note}" for note in [*result.notes, *_unequal(result)])


def _node_lines(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield a line for all nodes that are and run the same."""
    named: dict[str, list[str]] = {}
    for node in nodes:
        settings = ", ".join(f"{name} {value}" for name, value in node.settings.items())
        parts = [f"{node.engine} {node.version}".strip(), settings, node.place, node.machine]
        named.setdefault("; ".join(part for part in parts if part), []).append(node.name)
    for what, names in named.items():
        yield f"{', '.join(names)}: {what}"


def _unequal(result: Result) -> Iterator[str]:
    """Yield which settings are not the same for all subjects: a difference may come from them."""
    values: dict[str, dict[str, None]] = {}
    for subject in result.subjects:
        for node in subject.nodes:
            for name, value in node.settings.items():
                values.setdefault(name, {})[value] = None
    unequal = [f"{name} ({' or '.join(each)})" for name, each in values.items() if len(each) > 1]
    if unequal:
        yield f"the subjects differ also in {', '.join(unequal)}"


def serves(subject: Subject) -> str:
    """Return in one line what a subject is: its label, nodes, engine and version."""
    parts = [subject.label, ", ".join(node.name for node in subject.nodes)]
    made = {f"{node.engine} {node.version}".strip() for node in subject.nodes}
    return "; ".join(part for part in [*parts, *sorted(made)] if part)


def served_lines(result: Result) -> Iterator[str]:
    """Yield how much each node did of a subject's rounds, by its own count."""
    for subject in result.subjects:
        total: dict[str, dict[str, int]] = {}
        for figure in result.of(subject.name):
            for node, counts in figure.served.items():
                for what, count in counts.items():
                    of_node = total.setdefault(node, {})
                    of_node[what] = of_node.get(what, 0) + count
        if total:
            nodes = "; ".join(f"{node} {_counted(counts)}" for node, counts in total.items())
            yield f"{subject.name} was served by: {nodes}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{what} {count:,}" for what, count in counts.items() if count)
