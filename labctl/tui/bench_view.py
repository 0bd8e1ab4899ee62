"""What the screen knows of a session's benchmarks, folded from events."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from labctl.bench_events import (
    BenchmarkFinished,
    BenchmarkPrepared,
    BenchmarkRoundMeasured,
    BenchmarkRoundStarted,
    BenchmarkStarted,
)

BenchEvent = (
    BenchmarkStarted
    | BenchmarkPrepared
    | BenchmarkRoundStarted
    | BenchmarkRoundMeasured
    | BenchmarkFinished
)
BenchState = Literal["preparing", "measuring", "measured", "cut short"]

_MOST_BENCHMARKS = 20
_MOST_SUBJECTS = 20
_MOST_ROUNDS = 100


@dataclass
class SubjectView:
    """What was measured of a subject so far; `verdict` once all was."""

    name: str
    tool: str = ""
    serves: str = ""
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST_ROUNDS))
    p95_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST_ROUNDS))
    errors: int = 0
    verdict: str = ""


@dataclass
class BenchView:
    """One benchmark, the latest time that it was measured."""

    name: str
    say: str = ""
    unit: str = ""
    rounds: int = 0
    subjects: dict[str, SubjectView] = field(default_factory=dict)
    state: BenchState = "preparing"
    turn: str = ""  # what is measured now
    why: str = ""


@dataclass
class BenchesView:
    """The benchmarks by name, the one that was measured last at the end."""

    benches: dict[str, BenchView] = field(default_factory=dict)
    changes: int = 0

    def take(self, event: BenchEvent) -> None:
        """Take one more event into account."""
        self.changes += 1
        if isinstance(event, BenchmarkStarted):
            self._begin(event)
            return
        bench = self.benches.get(event.benchmark)
        if bench is None:
            return
        match event:
            case BenchmarkPrepared():
                subject = bench.subjects.get(event.subject)
                if subject is not None:
                    subject.tool, subject.serves = event.tool, event.serves
            case BenchmarkRoundStarted():
                bench.state = "measuring"
                bench.turn = f"round {event.round} of {event.rounds}: {event.subject}"
            case BenchmarkRoundMeasured():
                _measured(bench, event)
            case BenchmarkFinished():
                _finished(bench, event)

    def leave(self) -> bool:
        """Take into account that nobody measures any more; return whether that changes anything."""
        left = [each for each in self.benches.values() if each.state in ("preparing", "measuring")]
        for bench in left:
            bench.state, bench.turn = "cut short", ""
        self.changes += len(left)
        return bool(left)

    def _begin(self, event: BenchmarkStarted) -> None:
        self.benches.pop(event.benchmark, None)
        while len(self.benches) >= _MOST_BENCHMARKS:
            del self.benches[next(iter(self.benches))]
        names = event.subjects[:_MOST_SUBJECTS]
        self.benches[event.benchmark] = BenchView(
            event.benchmark,
            say=event.say,
            unit=event.unit,
            rounds=event.rounds,
            subjects={name: SubjectView(name) for name in names},
        )


def _measured(bench: BenchView, event: BenchmarkRoundMeasured) -> None:
    subject = bench.subjects.get(event.subject)
    if subject is None or event.per_s <= 0:
        return
    subject.rates.append(event.per_s)
    if event.p95_ms > 0:
        subject.p95_ms.append(event.p95_ms)
    subject.errors += event.errors


def _finished(bench: BenchView, event: BenchmarkFinished) -> None:
    bench.state = "measured" if event.ok else "cut short"
    bench.turn, bench.why = "", event.why
    for standing in event.standings:
        subject = bench.subjects.get(str(standing.get("subject", "")))
        if subject is not None:
            subject.verdict = str(standing.get("verdict", ""))
