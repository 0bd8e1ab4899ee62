"""The minimum, maximum, average and median of a list of numbers, in four lines.

A request is a list of decimal numbers separated by commas: an optional sign, digits, and
optionally a point with digits after it; blanks around a number do not matter. A number has at
most 15 digits, so that a double holds it exactly enough to print it as it was written; a
request has at most 100,000 numbers and 1,000,000 characters. Everything else, exponents, nan,
infinity and an empty list or number included, is answered `Wrong input`.

The average and the median are computed exactly and rounded once. A whole number is printed
without a point, any other as the shortest decimal that reads back as the same double.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from job_runtime import Job, Outcome, done, failed

WRONG_INPUT = "Wrong input"
_MOST_CHARACTERS = 1_000_000
_MOST_NUMBERS = 100_000
_MOST_DIGITS = 15
_NUMBER = re.compile(r"[ \t\r\n]*([+-]?)([0-9]+)(?:\.([0-9]+))?[ \t\r\n]*")


@dataclass(frozen=True)
class Numbers:
    """A list of decimal numbers, exactly: integers that all count `1 / unit`."""

    scaled: Sequence[int]
    unit: int


def work(job: Job) -> Outcome:
    """Answer one request with its four figures, or fail it with `Wrong input`."""
    numbers = parse(job.body)
    return failed(WRONG_INPUT) if numbers is None else done(four_lines(numbers))


def parse(body: str) -> Numbers | None:
    """Return the numbers of a request; None when it is no list of numbers within the limits."""
    if len(body) > _MOST_CHARACTERS or body.count(",") >= _MOST_NUMBERS:
        return None
    parts: list[tuple[str, str]] = []
    for text in body.split(","):
        match = _NUMBER.fullmatch(text)
        if match is None:
            return None
        sign, digits, decimals = match.groups(default="")
        if len(digits) + len(decimals) > _MOST_DIGITS:
            return None
        parts.append((sign + digits, decimals))
    places = max(len(decimals) for _, decimals in parts)
    scaled = [int(whole + decimals.ljust(places, "0")) for whole, decimals in parts]
    return Numbers(scaled, 10**places)


def four_lines(numbers: Numbers) -> str:
    """Return the answer to a request: its four figures, one a line."""
    scaled, unit = numbers.scaled, numbers.unit
    figures = {
        "minimum": Fraction(min(scaled), unit),
        "maximum": Fraction(max(scaled), unit),
        "average": Fraction(sum(scaled), unit * len(scaled)),
        "median": Fraction(
            statistics.median_low(scaled) + statistics.median_high(scaled), 2 * unit
        ),
    }
    return "\n".join(f"The list {name} is : {plain(value)} " for name, value in figures.items())


def plain(value: Fraction) -> str:
    """Return a number as text, without a point when it is whole and never with an exponent."""
    if value.denominator == 1:
        return str(value.numerator)
    nearest = float(value)
    if nearest.is_integer():
        return str(int(nearest))
    return format(Decimal(repr(nearest)), "f")
