"""What few noisy measurements allow to say: middles, spreads, and whether a difference is real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import comb
from typing import Literal

Word = Literal["faster", "slower", "no difference shown", "too few rounds"]

SIGNIFICANT = 0.05
RULE = (
    "A difference is called real only when an exact rank test over the rounds (Mann-Whitney, two "
    "sides, Holm's correction for several comparisons) gives p below 0.05, and neither median lies "
    "within the other's middle half. With fewer rounds than can ever give that, nothing is said."
)


@dataclass(frozen=True)
class Spread:
    """A middle and what lies around it; quartiles are interpolated between the values."""

    median: float
    low: float  # the first quartile
    high: float  # the third
    least: float
    most: float
    count: int


@dataclass(frozen=True)
class Comparison:
    """How `b` stands to `a`: the ratio of the medians, its interval, and what may be said.

    `p` is that of the test, `level` what it had to be below; the interval of the ratio holds at
    95 %, and without `is_interval` is only the range of the ratios: there are too few rounds.
    """

    ratio: float
    low: float
    high: float
    p: float
    level: float
    word: Word
    is_interval: bool

    @property
    def real(self) -> bool:
        """Whether the difference may be called one."""
        return self.word in ("faster", "slower")


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of at least one value."""
    ordered = sorted(values)
    quartile = [_between(ordered, part) for part in (0.25, 0.5, 0.75)]
    return Spread(quartile[1], quartile[0], quartile[2], ordered[0], ordered[-1], len(ordered))


def _between(ordered: Sequence[float], part: float) -> float:
    place = (len(ordered) - 1) * part
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    # Written so that equal neighbours give themselves, whatever the rounding.
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def compare(base: Sequence[float], others: Sequence[Sequence[float]]) -> list[Comparison]:
    """Compare each of the others with the base; more is faster, all values are positive.

    Holm's correction: the least p must be below 0.05 divided by how many there are, the next
    below 0.05 divided by one fewer, and after the first that is not, none is real.
    """
    tests = [rank_test(base, other) for other in others]
    by_p = sorted(range(len(tests)), key=lambda index: tests[index])
    levels = [0.0] * len(tests)
    holds = [False] * len(tests)
    still = True
    for rank, index in enumerate(by_p):
        levels[index] = SIGNIFICANT / (len(tests) - rank)
        still = still and tests[index] < levels[index]
        holds[index] = still
    return [
        _compared(base, other, p=tests[index], level=levels[index], holds=holds[index])
        for index, other in enumerate(others)
    ]


def _compared(
    base: Sequence[float], other: Sequence[float], *, p: float, level: float, holds: bool
) -> Comparison:
    a, b = spread(base), spread(other)
    apart = not (a.low <= b.median <= a.high or b.low <= a.median <= b.high)
    word: Word = "no difference shown"
    if least_p(len(base), len(other)) >= level:
        word = "too few rounds"
    elif holds and apart:
        word = "faster" if b.median > a.median else "slower"
    low, high = ratio_interval(base, other)
    is_interval = least_p(len(base), len(other)) <= SIGNIFICANT
    return Comparison(b.median / a.median, low, high, p, level, word, is_interval)


def ratio_interval(base: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """Return an exact 95 % interval for how many times `other` is `base`.

    It is made of the ratios of every pair, as many left out at both ends as the rank test allows.
    """
    ratios = sorted(b / a for a in base for b in other)
    out = 0
    while 2 * _at_most(len(base), len(other), out) <= SIGNIFICANT:
        out += 1
    return ratios[out - 1 if out else 0], ratios[-out if out else -1]


def least_p(n: int, m: int) -> float:
    """Return the least p that so many rounds of each can give."""
    return min(1.0, 2 / comb(n + m, n))


def needed_rounds(comparisons: int) -> int:
    """Return how many rounds of each it takes before a difference can be called real."""
    rounds = 2
    while least_p(rounds, rounds) >= SIGNIFICANT / max(1, comparisons):
        rounds += 1
    return rounds


def rank_test(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the two-sided p of the exact rank test; equal values share their ranks."""
    doubled = _doubled_ranks([*a, *b])
    observed = sum(doubled[: len(a)])
    ways = _sums(tuple(sorted(doubled)), len(a))
    middle = len(a) * (len(doubled) + 1)  # the expected sum, doubled as the ranks are
    far = abs(observed - middle)
    as_far = sum(count for total, count in ways.items() if abs(total - middle) >= far)
    return as_far / comb(len(doubled), len(a))


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Return twice the rank of each value, which is whole where equal ones share the middle."""
    return [
        sum(other < value for other in values) * 2 + sum(other == value for other in values) + 1
        for value in values
    ]


@cache
def _sums(ranks: tuple[int, ...], chosen: int) -> dict[int, int]:
    """Return in how many ways so many of the ranks give each sum."""
    ways: list[dict[int, int]] = [{0: 1}, *({} for _ in range(chosen))]
    for rank in ranks:
        for count in range(chosen, 0, -1):
            for total, number in ways[count - 1].items():
                ways[count][total + rank] = ways[count].get(total + rank, 0) + number
    return ways[chosen]


@cache
def _at_most(n: int, m: int, wins: int) -> float:
    """Return how likely it is, without a difference, that `b` wins in at most so many pairs."""
    ranks = tuple(range(1, n + m + 1))
    least = m * (m + 1) // 2
    ways = _sums(ranks, m)
    return sum(count for total, count in ways.items() if total - least <= wins) / comb(n + m, m)
