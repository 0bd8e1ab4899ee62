"""A session's time to live: how long it is, whether it is over, and when it may be shorter."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from labctl.errors import UsageError
from labctl.events import EndMoved
from labctl.ledger.sessions import SessionRecord
from labctl.spec.catalogue import Defaults
from labctl.telling import seconds

if TYPE_CHECKING:  # a face asks for the time left before it knows of any lab
    from labctl.spec.lab import Lab

DEFAULT_LIFE_S = 3 * 3600.0
_SAME_S = 1.0  # ends that differ by less are one


def usual_life_s(lab: Lab, defaults: Defaults) -> float:
    """Return how long a session lives: as the lab file says, else the catalogue, else 3 h."""
    if "ttl" in lab.limits.model_fields_set:
        return lab.limits.ttl
    return defaults.ttl_s or DEFAULT_LIFE_S


def is_over(record: SessionRecord, *, now: float) -> bool:
    """Whether a session has outlived its time."""
    return record.expires_at <= now


def ends_sooner(record: SessionRecord, life_s: float, *, now: float) -> bool:
    """Whether a session that lives `life_s` from now would end sooner than it does."""
    return max(now, record.expires_at) > now + life_s + _SAME_S


def refuse_sooner(record: SessionRecord, life_s: float, *, now: float) -> None:
    """Raise `UsageError` when a life of `life_s` from now would shorten what there is."""
    if ends_sooner(record, life_s, now=now):
        raise UsageError(
            f"'{record.name}' would end in {seconds(life_s)}, not in "
            f"{seconds(record.expires_at - now)}",
            "say that it may: --yes",
        )


def end_moved(record: SessionRecord, *, before: float) -> EndMoved:
    """Return the event that tells of a record's new end."""
    now = time.time()
    return EndMoved(
        lab=record.lab,
        session=record.name,
        before=before,
        after=record.expires_at,
        left_s=round(record.expires_at - now),
        was_over=before <= now,
    )


def refuse_when_over(record: SessionRecord) -> None:
    """Raise `UsageError` when a session's time is over: a new machine would end at once."""
    over_s = time.time() - record.expires_at
    if over_s >= 0:
        raise UsageError(
            f"the time of '{record.name}' is over, for {seconds(over_s)}",
            f"labctl up {record.name} gives it a new life, labctl extend {record.name} 1h more",
        )
