"""What a check is: one form of assertion on a running lab, asked again until it holds."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from labctl.errors import Interrupted
from labctl.kinds.base import Actual
from labctl.ledger.results import ResultsStore
from labctl.spec.fields import StrictModel
from labctl.targets.base import Target
from labctl.targets.failures import classify
from labctl.transport.parallel import OnRole, no_machines

Model = TypeVar("Model", bound=StrictModel)

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True)
class CheckContext:
    """What a check may look at: the session's resources by lab-file name, its results, machines."""

    target: Target
    neighbours: Mapping[str, Actual]
    results: ResultsStore
    on_role: OnRole = no_machines


@dataclass(frozen=True)
class Verdict:
    """Whether a check holds, and what was found, in a sentence's part: "done is 9, wanted 10"."""

    ok: bool
    say: str


class Check(ABC, Generic[Model]):
    """One form of assertion. Instances are stateless."""

    name: ClassVar[str]  # "jobs": the key below `that`
    model: ClassVar[type[StrictModel]]

    @abstractmethod
    def holds(self, context: CheckContext, want: Model) -> Verdict:
        """Look once. botocore's errors may escape; `within` makes them part of the verdict."""


def within(
    check: Check[Model],
    context: CheckContext,
    want: Model,
    *,
    deadline_s: float,
    cancelled: threading.Event,
) -> Verdict:
    """Return the first verdict that holds, or the last one before the deadline.

    Looks at least once. Raises `Interrupted` when cancelled, and at once what waiting cannot
    mend: refused credentials, missing permissions.
    """
    until = time.monotonic() + deadline_s
    pause_s = _FIRST_PAUSE_S
    while True:
        verdict = _look(check, context, want)
        left_s = until - time.monotonic()
        if verdict.ok or left_s <= 0:
            return verdict
        if cancelled.wait(min(pause_s, left_s)):
            raise Interrupted("the checks were stopped", "labctl check runs them again")
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def _look(check: Check[Model], context: CheckContext, want: Model) -> Verdict:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return check.holds(context, want)
    except (BotoCoreError, ClientError) as error:
        failure = classify(error)
        if failure.kind in ("credentials", "denied"):
            raise failure.error from error
        return Verdict(False, failure.error.message)


def compare(found: Mapping[str, int], wanted: Mapping[str, int | None]) -> Verdict:
    """Return whether every wanted figure is as found; a figure of None is not asked for."""
    asked = {name: value for name, value in wanted.items() if value is not None}
    wrong = [
        f"{name} is {found[name]}, wanted {value}"
        for name, value in asked.items()
        if found[name] != value
    ]
    right = [f"{name} is {value}" for name, value in asked.items() if found[name] == value]
    return Verdict(not wrong, "; ".join(wrong or right))
