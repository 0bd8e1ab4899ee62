"""What a session's events tell of its keys: whether calls wait for new ones, and what is news."""

from __future__ import annotations

from dataclasses import dataclass, field

from labctl import events as e

_ONE_S = 10.0  # what several threads tell within it of the same keys is told once

KeysEvent = e.CredentialsExpiring | e.CredentialsExpired | e.CredentialsRenewed | e.KeysPushed


@dataclass
class KeysView:
    """Calls of several threads and processes wait for the same keys, and all of them tell so.

    Who works on the session writes it to the session's events; what this screen does beside it,
    looking too, is told here alone, and goes on when the others have left.
    """

    told: e.CredentialsExpired | None = None  # by the session's events, while those wait
    told_here: e.CredentialsExpired | None = None
    _news: dict[object, float] = field(default_factory=dict)

    @property
    def waits(self) -> e.CredentialsExpired | None:
        """For what calls wait now."""
        return self.told or self.told_here

    def take(self, at: float, event: KeysEvent, *, here: bool) -> bool:
        """Take an event into account and return whether it says something new."""
        waited = self.waits is not None
        match event:
            case e.CredentialsExpired():
                self._put(event, here=here)
                return not waited
            case e.CredentialsRenewed():
                self._put(None, here=here)
                return self._is_news(at, ("renewed", event.source))
            case e.CredentialsExpiring():
                return self._is_news(at, ("expiring", event.source))
            case e.KeysPushed():
                return self._is_news(at, ("pushed", event.machines))

    def leave(self) -> bool:
        """Forget what the session's events tell: who told it has left; whether it was something."""
        waited, self.told = self.told is not None, None
        return waited

    def _put(self, waits: e.CredentialsExpired | None, *, here: bool) -> None:
        if here:
            self.told_here = waits
        else:
            self.told = waits

    def _is_news(self, at: float, what: object) -> bool:
        """Whether this was not told just before."""
        self._news = {each: when for each, when in self._news.items() if abs(at - when) < _ONE_S}
        news = what not in self._news
        if news:
            self._news[what] = at
        return news
