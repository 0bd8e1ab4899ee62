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
        self._asked: set[tuple[str, str, float]] = set()
        self._waited: tuple[object, float] = (None, 0.0)

    def due(self, screen: Screen[object]) -> TargetKeys | None:
        """Return the keys for which a screen should ask now; each occasion is returned once."""
        if not isinstance(screen, ShowsKeys) or screen.keys is None:
            return None
        occasion = self._occasion(screen, screen.keys)
        if occasion is None or occasion in self._asked:
            return None
        self._asked.add(occasion)
        return screen.keys

    def _occasion(self, screen: ShowsKeys, keys: TargetKeys) -> tuple[str, str, float] | None:
        standing = keys.standing
        report = standing.report
        key = report.key if report else ""
        if standing.ended or self._has_waited(screen.waits()):
            return "ended", key, 0.0
        if report is None or report.ends_at is None:
            return None
        left_min = (report.ends_at - time.time()) / 60
        near = [limit for limit in SOON_MIN if 0 < left_min <= limit]
        return ("soon", key, near[0]) if near else None

    def _has_waited(self, waits: e.CredentialsExpired | None) -> bool:
        """Whether calls have waited for a while."""
        if waits is None:
            self._waited = (None, 0.0)
            return False
        if self._waited[0] != waits:
            self._waited = (waits, time.monotonic())
        return time.monotonic() - self._waited[1] > _SETTLED_S
