"""How the subjects of a result stand to each other, and to what was measured before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl.figures.records import Node, Result, Subject
from labctl.figures.statistics import (
    Comparison,
    Spread,
    compare,
    needed_rounds,
    spread,
)


@dataclass(frozen=True)
class Standing:
    """One subject: its rates, latencies, errors and comparison.

    `latency_ms` holds the median over the rounds of what the tool tells of each: p50, avg, p95.
    """

    subject: str
    rate: Spread
    latency_ms: Mapping[str, float]
    errors: int
    tool: str
    base: str = ""  # what it is compared with; empty for the base itself
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Against:
    """A subject beside the same one of a baseline; with `differs` nothing may be said of it."""

    subject: str
    before: Spread
    now: Spread
    differs: tuple[str, ...]
    comparison: Comparison | None


def standings(result: Result) -> list[Standing]:
    """Return every subject that was measured; each is compared with the first."""
    measured = [each for each in result.subjects if result.rates(each.name)]
    if not measured:
        return []
    base, *others = measured
    rates = [result.rates(each.name) for each in others]
    compared = compare(result.rates(base.name), rates)
    found = [_standing(result, base)]
    for subject, comparison in zip(others, compared, strict=True):
        found.append(_standing(result, subject, base.name, comparison))
    return found


def _standing(
    result: Result, subject: Subject, base: str = "", comparison: Comparison | None = None
) -> Standing:
    figures = result.of(subject.name)
    told = {name for figure in figures for name in figure.latency_ms}
    latencies = {
        name: spread([each.latency_ms[name] for each in figures if name in each.latency_ms]).median
        for name in sorted(told)
    }
    return Standing(
        subject=subject.name,
        rate=spread([figure.per_s for figure in figures]),
        latency_ms=latencies,
        errors=round(sum(figure.counts.get("errors", 0) for figure in figures)),
        tool=subject.tool,
        base=base,
        comparison=comparison,
    )


def against(result: Result, before: Result) -> list[Against]:
    """Return every subject that both results have, the later beside the earlier."""
    mine = {each.name: each for each in result.subjects if result.rates(each.name)}
    both = [each for each in before.subjects if each.name in mine and before.rates(each.name)]
    found = []
    for subject in both:
        earlier, now = before.rates(subject.name), result.rates(subject.name)
        differs = differences(result, before, subject.name)
        found.append(
            Against(
                subject=subject.name,
                before=spread(earlier),
                now=spread(now),
                differs=differs,
                comparison=None if differs else compare(earlier, [now])[0],
            )
        )
    return found


def differences(result: Result, before: Result, subject: str) -> tuple[str, ...]:
    """Return what is not the same in two measurements of a subject, in words; nothing: all is."""
    now, then = _facts(result, subject), _facts(before, subject)
    return tuple(
        f"{fact} is {now.get(fact, 'not known')}, was {then.get(fact, 'not known')}"
        for fact in {**then, **now}
        if now.get(fact) != then.get(fact)
    )


def _facts(result: Result, name: str) -> dict[str, str]:
    subject = next(each for each in result.subjects if each.name == name)
    facts = {"tool": subject.tool, "label": subject.label, "target": result.target}
    facts |= result.settings
    for node in [*subject.nodes, *([subject.client] if subject.client else [])]:
        facts |= {f"{what} of {node.name}": value for what, value in _of_node(node).items()}
    return facts


def _of_node(node: Node) -> dict[str, str]:
    facts = {
        "machine": node.machine,
        "place": node.place,
        "engine": node.engine,
        "version": node.version,
    }
    return {what: value for what, value in {**facts, **node.settings}.items() if value}


def verdict(standing: Standing, *, comparisons: int) -> str:
    """Return in a sentence's part what may be said of a subject beside its base."""
    found = standing.comparison
    if found is None:
        return "the others are compared with it"
    if found.word == "too few rounds":
        return f"too few rounds to tell: it takes {needed_rounds(comparisons)} of each"
    if found.word == "no difference shown":
        return f"no difference from {standing.base} is shown"
    return f"really {found.word} than {standing.base}"


def verdict_against(found: Against) -> str:
    """Return in a sentence's part what may be said of a subject beside its baseline."""
    if found.differs:
        return f"not comparable: {'; '.join(found.differs)}"
    assert found.comparison is not None, "what is comparable was compared"
    word = found.comparison.word
    if word == "too few rounds":
        return f"too few rounds to tell: it takes {needed_rounds(1)} of each"
    return "no difference is shown" if word == "no difference shown" else f"really {word}"


def summary(result: Result) -> list[dict[str, Any]]:
    """Return the standings as plain data for programs."""
    found = standings(result)
    return [_row(each, comparisons=len(found) - 1) for each in found]


def _row(each: Standing, *, comparisons: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "subject": each.subject,
        "median_per_s": each.rate.median,
        "quartiles_per_s": [each.rate.low, each.rate.high],
        "range_per_s": [each.rate.least, each.rate.most],
        "rounds": each.rate.count,
        "latency_ms": dict(each.latency_ms),
        "errors": each.errors,
        "tool": each.tool,
    }
    if each.comparison is not None:
        row |= {
            "compared_with": each.base,
            "ratio": each.comparison.ratio,
            "ratio_95": [each.comparison.low, each.comparison.high]
            if each.comparison.is_interval
            else None,
            "p": each.comparison.p,
            "real": each.comparison.real,
        }
    return {**row, "verdict": verdict(each, comparisons=comparisons)}
