"""How long things took here before: by target, kind and action, the last few of each.

One small file for all sessions of a state folder. It only helps to guess: what cannot be read
counts as nothing, and it is written whole or not at all.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from labctl.paths import write_private

KEPT = 20  # of each kind and action: what counts is how the target is these days
MOST_TARGETS = 20
MOST_ACTIONS = 200  # of one target
HIGH = 0.9  # of those kept: a guess that is too short is worse than one that is too long
_LONGEST_S = 7 * 86400.0

Measured = tuple[str, str, float]  # kind ("sqs.queue"), action ("create"), seconds


class Durations:
    """The measured durations of one state folder; several processes may add at once."""

    def __init__(self, state: Path) -> None:
        self._file = state / "durations.json"

    def add(self, target: str, measured: Iterable[Measured]) -> None:
        """Keep what was measured on a target; a disk that is full is no reason to fail."""
        fresh = [each for each in measured if _is_sane(each[2])]
        if fresh:
            with suppress(OSError):
                self._add(target, fresh)

    def _add(self, target: str, fresh: Iterable[Measured]) -> None:
        with _alone(self._file.with_name("durations.lock")):
            everything = self._read()
            kept = {**everything.pop(target, {})}
            for kind, action, seconds in fresh:
                key = f"{kind} {action}"
                before = kept.pop(key, [])
                kept[key] = [*before, round(seconds, 3)][-KEPT:]  # what is new comes last
            everything[target] = _last(kept, MOST_ACTIONS)
            text = json.dumps({"version": 1, "seconds": _last(everything, MOST_TARGETS)})
            write_private(self._file, text + "\n")

    def of(self, target: str) -> Mapping[tuple[str, str], float]:
        """Return what to expect on a target, in seconds, by kind and action."""
        return {
            (key.rpartition(" ")[0], key.rpartition(" ")[2]): quantile(values)
            for key, values in self._read().get(target, {}).items()
        }

    def _read(self) -> dict[str, dict[str, list[float]]]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))["seconds"]
            return {str(target): _sane(of_target) for target, of_target in found.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}


def quantile(values: Sequence[float]) -> float:
    """Return the value that `HIGH` of these do not exceed; one of them."""
    ordered = sorted(values)
    return ordered[math.ceil(HIGH * len(ordered)) - 1]


def _sane(of_target: Any) -> dict[str, list[float]]:  # noqa: ANN401 - any JSON
    listed = {
        str(key): [float(value) for value in values if _is_sane(value)][-KEPT:]
        for key, values in of_target.items()
    }
    return {key: values for key, values in listed.items() if values}


def _is_sane(value: Any) -> bool:  # noqa: ANN401 - any JSON
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= _LONGEST_S


def _last(mapping: Mapping[str, Any], most: int) -> dict[str, Any]:
    return dict(list(mapping.items())[-most:])


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Hold a lock that the system frees when its holder dies; it is held for an instant only."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
