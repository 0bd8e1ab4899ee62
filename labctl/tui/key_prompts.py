"""When to ask for new credentials by itself: when they ended or soon will, once each."""

from __future__ import annotations

import time
from typing import Protocol, runtime_checkable

from textual.screen import Screen

from labctl import events as e
from labctl.tui.keys import TargetKeys

SOON_MIN = (2.0, 10.0)
_SETTLED_S = 0.5  # so long calls wait before one is asked: some find new keys at once


@runtime_checkable
class ShowsKeys(Protocol):
    """A screen that is about a target's keys."""

    keys: TargetKeys | None  # None while it is not known whose

    def waits(self) -> e.CredentialsExpired | None:
        """Return for what calls wait now."""


class KeyPrompts:
    """Remembers what was asked, so that what was put off is not asked again."""

    def __init__(self) -> None:
        self._told_ended: set[TargetKeys] = set()  # until they are good again
        self._told_soon: set[tuple[str, float]] = set()
        self._waited: tuple[object, float] = (None, 0.0)

    def due(self, screen: Screen[object]) -> bool:
        """Whether a screen should ask now; each occasion is told once."""
        if not isinstance(screen, ShowsKeys) or screen.keys is None:
            return False
        keys, waits = screen.keys, screen.waits()
        has_waited = self._has_waited(waits)
        if keys.standing.ended or waits is not None:
            is_new = keys not in self._told_ended and (keys.standing.ended or has_waited)
            if is_new:
                self._told_ended.add(keys)
            return is_new
        self._told_ended.discard(keys)
        return self._end_soon(keys)

    def _end_soon(self, keys: TargetKeys) -> bool:
        report = keys.standing.report
        if report is None or report.ends_at is None:
            return False
        left_min = (report.ends_at - time.time()) / 60
        near = [limit for limit in SOON_MIN if 0 < left_min <= limit]
        if not near or (report.key, near[0]) in self._told_soon:
            return False
        self._told_soon.add((report.key, near[0]))
        return True

    def _has_waited(self, waits: e.CredentialsExpired | None) -> bool:
        """Whether calls have waited for a while."""
        if waits is None:
            self._waited = (None, 0.0)
            return False
        if self._waited[0] != waits:
            self._waited = (waits, time.monotonic())
        return time.monotonic() - self._waited[1] > _SETTLED_S
