"""The minimum, maximum, average and median of a list of numbers, in four lines.

A request is a list of integers separated by commas, with an optional sign; blanks around a
number do not matter. A number has at most 15 digits, so that a double holds it exactly; a
request has at most 100,000 numbers and 1,000,000 characters. Everything else, decimals,
exponents, nan, infinity and an empty list or number included, is answered `Wrong input`.

The average and the median are computed exactly and rounded once. A whole number is printed
without a point, any other as the shortest decimal that reads back as the same double.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from job_runtime import Job, Outcome, done, failed

WRONG_INPUT = "Wrong input"
_MOST_CHARACTERS = 1_000_000
_MOST_NUMBERS = 100_000
_NUMBER = re.compile(r"[ \t\r\n]*([+-]?[0-9]{1,15})[ \t\r\n]*")


def work(job: Job) -> Outcome:
    """Answer one request with its four figures, or fail it with `Wrong input`."""
    numbers = parse(job.body)
    return failed(WRONG_INPUT) if numbers is None else done(four_lines(numbers))


def parse(body: str) -> list[int] | None:
    """Return the numbers of a request; None when it is no list of integers within the limits."""
    if len(body) > _MOST_CHARACTERS or body.count(",") >= _MOST_NUMBERS:
        return None
    numbers: list[int] = []
    for text in body.split(","):
        match = _NUMBER.fullmatch(text)
        if match is None:
            return None
        numbers.append(int(match[1]))
    return numbers


def four_lines(numbers: Sequence[int]) -> str:
    """Return the answer to a request: its four figures, one a line."""
    figures = {
        "minimum": Fraction(min(numbers)),
        "maximum": Fraction(max(numbers)),
        "average": Fraction(sum(numbers), len(numbers)),
        "median": Fraction(statistics.median_low(numbers) + statistics.median_high(numbers), 2),
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
