"""Is there time enough? What is to be done, against the end of the credentials and the session."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from labctl.engine.bus import Bus
from labctl.errors import LimitError
from labctl.events import Warned
from labctl.ledger.durations import Durations
from labctl.ledger.journal import Entry
from labctl.ledger.sessions import SessionRecord
from labctl.plan.expect import USUAL_ON_AWS, Estimate, Known, estimate, estimate_teardown
from labctl.plan.model import Owned, Plan
from labctl.targets.base import Target
from labctl.telling import roughly

_NEW_KEYS = "get new ones first (labctl creds paste)"


@dataclass(frozen=True)
class End:
    """Something that ends in so many seconds, and what gives more time."""

    what: str  # "the credentials end"
    left_s: float
    remedy: str


def known_durations(state: Path, target: str) -> Known:
    """Return what steps take on a target: as measured there, else what is usual on AWS.

    An emulator answers at once: of others nothing is known until it was measured.
    """
    usual = USUAL_ON_AWS if target == "aws" else {}
    return {**usual, **Durations(state).of(target)}


def expected(plan: Plan, *, state: Path, target: str) -> Estimate:
    """Return what a plan takes on a target."""
    return estimate(plan, known_durations(state, target))


def ends_before(target: Target, record: SessionRecord) -> list[End]:
    """Return what may end while a plan runs, with the time that is left until then.

    Credentials that should have ended have just answered all the same: their end was a guess.
    """
    now = time.time()
    keys_end = target.credentials_end()
    ends = [End("the session ends", record.expires_at - now, "give it more time (--ttl 3h)")]
    if keys_end is not None and keys_end > now:
        ends.insert(0, End("the credentials end", keys_end - now, _NEW_KEYS))
    return ends


def refuse_what_does_not_fit(
    needs: Estimate, ends: Collection[End], *, force: bool, bus: Bus
) -> None:
    """Raise `LimitError` when a plan needs longer than is left; with `force` it is only told."""
    for end in ends:
        if not needs.known or needs.seconds <= end.left_s:
            continue
        told = f"this needs about {roughly(needs.seconds)}, {end.what} in {roughly(end.left_s)}"
        if not force:
            raise LimitError(told, f"{end.remedy}, or --force")
        bus.emit(Warned(message=told, hint="begun all the same"))


def warn_before_down(target: Target, entries: Collection[Entry], *, known: Known, bus: Bus) -> None:
    """Tell when the credentials will not last for a teardown: it is never refused."""
    owned = [
        Owned(entry.resource, entry.kind, entry.name, entry.needs)
        for entry in entries
        if entry.state != "gone"
    ]
    needs = estimate_teardown(owned, known)
    now, keys_end = time.time(), target.credentials_end()
    if keys_end is None or not needs.known or not now < keys_end < now + needs.seconds:
        return
    left = roughly(keys_end - now)
    told = f"this needs about {roughly(needs.seconds)}, the credentials end in {left}"
    bus.emit(Warned(message=told, hint="with new ones, the same command goes on where it stopped"))
