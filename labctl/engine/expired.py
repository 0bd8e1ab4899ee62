"""Takes down what has outlived its time: sessions known here, and what only its tags still know."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from labctl.engine.bus import Sink
from labctl.engine.choices import Choices
from labctl.engine.lifetime import is_over
from labctl.engine.strays import Strays, find_strays
from labctl.engine.teardown import Teardown
from labctl.events import TeardownProved
from labctl.kinds.base import TAG_EXPIRES, TAG_LAB, TAG_OWNER, TAG_SESSION, Actual
from labctl.ledger.sessions import SessionRecord, known_sessions
from labctl.paths import state_folder
from labctl.text import one_line


@dataclass(frozen=True)
class Orphans:
    """What tags alone still know of one session whose time is over."""

    session: str  # its id
    lab: str
    ended_at: float
    found: tuple[Actual, ...]

    @property
    def names(self) -> list[str]:
        """What was found, by kind and name."""
        return [f"{actual.kind} {one_line(actual.name)}" for actual in self.found]


def expired_sessions(target: str) -> list[SessionRecord]:
    """Return the sessions known here whose time is over, on one target or ("") on all."""
    now = time.time()
    return [
        record
        for record in known_sessions(state_folder())
        if is_over(record, now=now) and target in ("", record.target)
    ]


@dataclass(frozen=True)
class Expired:
    """What of this owner has outlived its time on a target, without a session known here."""

    strays: Strays
    orphans: tuple[Orphans, ...]

    def take_down(self, orphans: Orphans) -> TeardownProved:
        """Delete everything that bears the session's tags, and prove it."""
        general = self.strays.teardown
        teardown = Teardown(
            target=general.target,
            kinds=general.kinds,
            tags={TAG_SESSION: orphans.session, TAG_OWNER: general.tags[TAG_OWNER]},
            context=general.context,
            bus=general.bus,
            spared=general.spared,
        )
        return teardown.proved(lab=orphans.lab, session=orphans.session)


def find_expired(choices: Choices, *, sinks: Sequence[Sink], cancelled: threading.Event) -> Expired:
    """Ask every kind of the chosen target for what bears this owner's tags and an end that passed.

    A session is judged by the latest end on anything of it: a longer life may have been told to
    a part only. What bears no end that can be read is left alone, with all of its session.
    """
    strays = find_strays(choices, sinks=sinks, cancelled=cancelled)
    now = time.time()
    orphans = (_orphans(session, found) for session, found in _by_session(strays.found).items())
    return Expired(strays, tuple(each for each in orphans if each.ended_at <= now))


def _by_session(found: Sequence[Actual]) -> dict[str, list[Actual]]:
    sessions: dict[str, list[Actual]] = {}
    for actual in found:
        sessions.setdefault(actual.tags.get(TAG_SESSION, ""), []).append(actual)
    return sessions


def _orphans(session: str, found: Sequence[Actual]) -> Orphans:
    labs = {actual.tags.get(TAG_LAB, "") for actual in found}
    return Orphans(
        session=session,
        lab=one_line(min(labs), limit=60),
        ended_at=max(end_in_tags(actual) for actual in found),
        found=tuple(found),
    )


def end_in_tags(actual: Actual) -> float:
    """Return the end that a thing's tags tell, in unix seconds; endless for what is unreadable."""
    try:
        return float(int(actual.tags[TAG_EXPIRES]))
    except (KeyError, ValueError):
        return float("inf")
