"""What happened while a lab was measured: facts in the past tense, like those of `events`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl.events import Event


@dataclass(frozen=True, kw_only=True)
class BenchmarkStarted(Event):
    """A benchmark of the lab file began; subjects in the order in which they are compared."""

    benchmark: str
    kind: str
    say: str
    unit: str
    subjects: tuple[str, ...]
    rounds: int


@dataclass(frozen=True, kw_only=True)
class BenchmarkPrepared(Event):
    """A subject is ready to be measured, after `seconds`; `serves` says what it is."""

    benchmark: str
    subject: str
    tool: str
    serves: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class BenchmarkRoundStarted(Event):
    """A subject's turn in a round began."""

    benchmark: str
    subject: str
    round: int
    rounds: int


@dataclass(frozen=True, kw_only=True)
class BenchmarkRoundMeasured(Event):
    """A subject was measured in a round; `p95_ms` is 0 where the tool tells none."""

    benchmark: str
    subject: str
    round: int
    rounds: int
    per_s: float
    p95_ms: float
    errors: int
    served: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BenchmarkFinished(Event):
    """A benchmark ended, whole or cut short: what may be said of each subject, a mapping each."""

    benchmark: str
    ok: bool
    standings: tuple[Mapping[str, Any], ...]
    why: str = ""
