"""Reads the two quantities that people write with a unit: time spans and amounts of data."""

from __future__ import annotations

import re
from collections.abc import Mapping

DURATION_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,6})?\s*(ms|s|m|min|h|d)$"
SIZE_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,6})?\s*(B|KB|MB|GB|KiB|MiB|GiB)$"

LONGEST_LIFE_S = 366 * 86400.0  # a date that far ahead is a mistake, or means nothing to a machine

_DURATION_S = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_SIZE_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE_BYTES |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_QUANTITY = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Za-z]+)")


def duration_s(value: object) -> float:
    """Return a time span such as `30s` or `3h` in seconds; anything else is a ValueError."""
    return _in_units(value, _DURATION_S, what="duration", example="30s")


def life_s(value: object) -> float:
    """Return a time to live in seconds; anything but 1 s to a year is a ValueError."""
    found = duration_s(value)
    if not 1 <= found <= LONGEST_LIFE_S:
        raise ValueError(f"a time to live is 1s to {LONGEST_LIFE_S / 86400:.0f}d")
    return found


def size_bytes(value: object) -> int:
    """Return an amount of data such as `10MiB` in bytes; anything else is a ValueError."""
    return round(_in_units(value, _SIZE_BYTES, what="size", example="10MiB"))


def spelled(amount: float, *, like: str) -> str:
    """Return seconds or bytes in the largest unit that fits, of the family of the text `like`."""
    match = _QUANTITY.fullmatch(like.strip())
    unit = match[2] if match else ""
    for family in (_DURATION_S, _SIZE_BYTES):
        if unit in family:
            fitting = [name for name, factor in family.items() if amount and amount % factor == 0]
            best = max(fitting, key=lambda name: family[name], default="")
            return f"{amount / family[best]:.0f}{best}" if best else f"{amount:g}"
    return f"{amount:g}"


def _in_units(value: object, units: Mapping[str, float], *, what: str, example: str) -> float:
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value.strip())):
        number, unit = match.groups()
        if unit in units:
            return float(number) * units[unit]
        raise ValueError(f"unknown unit '{unit}' for a {what}; use one of {', '.join(units)}")
    raise ValueError(f"a {what} is a number with its unit, such as {example}")
