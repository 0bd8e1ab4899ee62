"""Reads lines of an events file; a file is foreign data, so what fits no event is passed over.

What comes out is safe to fold and to draw: the types are those that the events declare, numbers
are finite and within what a clock or a count can be, texts have a bounded length.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from labctl.events import Event, from_record

_LATEST_AT = 1e11  # unix seconds: the year 5138, and every C library can still print it
_LARGEST = 2**53
_LONGEST_TEXT = 4000
_MOST_ITEMS = 10_000

Fit = Callable[[Any], Any]


def parsed(lines: Iterable[bytes]) -> Iterator[tuple[float, Event]]:
    """Yield the events of lines, with their unix times; what is none is passed over."""
    for line in lines:
        if not line:
            continue
        try:
            record = json.loads(line)
            at = _number(record.get("at", 0.0))
            if not 0 <= at <= _LATEST_AT:
                continue
            event = from_record(record)
            if event is not None:
                yield at, fitted(event)
        except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
            continue


def fitted(event: Event) -> Event:
    """Return the event with its values as its fields declare them; what cannot is a TypeError."""
    values = {name: fit(getattr(event, name)) for name, fit in _fits_of(type(event).__name__)}
    return type(event)(**values)


@cache
def _fits_of(name: str) -> tuple[tuple[str, Fit], ...]:
    kind = Event.known[name]
    hints = get_type_hints(kind)
    return tuple((field.name, _fit_of(hints[field.name])) for field in fields(kind))


def _fit_of(hint: Any) -> Fit:  # noqa: ANN401 - a type hint
    simple: dict[Any, Fit] = {str: _text, int: _count, float: _number, bool: _truth, Any: _any}
    if hint in simple:
        return simple[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _optional(_fit_of(next(each for each in inner if each is not type(None))))
    if origin is tuple:
        return _many(_fit_of(inner[0]))
    if origin is Mapping:
        return _mapping(_fit_of(inner[1]))
    raise NotImplementedError(f"no rule for an event's field of type {hint}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value[:_LONGEST_TEXT]


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise TypeError
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError
    number = float(value)
    if not math.isfinite(number) or abs(number) > _LARGEST:
        raise TypeError
    return number


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _any(value: object) -> object:
    return _text(value) if isinstance(value, str) else value


def _optional(fit: Fit) -> Fit:
    return lambda value: None if value is None else fit(value)


def _many(fit: Fit) -> Fit:
    def fit_many(value: object) -> tuple[Any, ...]:
        if not isinstance(value, tuple):
            raise TypeError
        return tuple(fit(item) for item in value[:_MOST_ITEMS])

    return fit_many


def _mapping(fit: Fit) -> Fit:
    def fit_mapping(value: object) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise TypeError
        return {_text(name): fit(item) for name, item in value.items()}

    return fit_mapping
