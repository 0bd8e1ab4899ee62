"""Looks at a standing session every few seconds, so that it is live when no command runs on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from labctl.engine.bus import Sink
from labctl.events import Event
from labctl.targets.failures import classify
from labctl.tui.told import Told

if TYPE_CHECKING:  # the threads import it, with the session that they make
    from labctl.session import Session

_QUEUES_EVERY_S = 2.0
_MACHINES_EVERY_S = 5.0
_AFTER_TROUBLE_S = 5.0


class MakeSession(Protocol):
    """Opens the facade of the session that is watched."""

    def __call__(self, *, cancelled: threading.Event, sinks: Sequence[Sink]) -> Session:
        """Return it; the event ends its waiting for keys."""


_Look = Callable[["Session"], Sequence[Event]]


class Watch:
    """Threads that sample; `take` hands over what they saw, `trouble` says why they cannot.

    Queues and machines have a thread each: a machine that hangs must not age the queues. A local
    cloud that is stopped is told, not started.
    """

    def __init__(self, make_session: MakeSession) -> None:
        self._stop = threading.Event()
        self._told = Told()
        # Dead keys are waited for; to look no more ends that too.
        self._make_session = partial(make_session, cancelled=self._stop, sinks=[self._told])
        self._lock = threading.Lock()
        self._seen: list[tuple[float, Event]] = []
        self._troubles: dict[str, str] = {}

    @property
    def trouble(self) -> str:
        """Why nothing can be seen now; empty while all is well."""
        return next((trouble for trouble in list(self._troubles.values()) if trouble), "")

    def start(self) -> None:
        """Begin to look."""
        self._begin("queues", lambda session: session.samples(), _QUEUES_EVERY_S)
        self._begin("machines", _machine_samples, _MACHINES_EVERY_S)

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def take(self) -> list[tuple[float, Event]]:
        """Return what was seen since the last call, with its unix times."""
        with self._lock:
            seen, self._seen = self._seen, []
        return self._told.take() + seen

    def _begin(self, name: str, look: _Look, every_s: float) -> None:
        self._troubles[name] = ""
        arguments = (name, look, every_s)
        threading.Thread(
            target=self._keep_looking, args=arguments, name=f"watch {name}", daemon=True
        ).start()

    def _keep_looking(self, name: str, look: _Look, every_s: float) -> None:
        session, record = self._make_session(), None
        while not self._stop.is_set():
            pause_s = every_s
            try:
                now = session.folder.read()
                if now != record:  # brought up, scaled or taken down: it is another session
                    session.close()
                    session, record = self._make_session(), now
                # Kept through trouble too: its clients and connections are dear to make.
                if now is not None:
                    self._look(session, look)
                self._troubles[name] = ""
            except Exception as error:  # the edge of a thread: told on the screen, not swallowed
                self._troubles[name] = classify(error).error.message
                pause_s = _AFTER_TROUBLE_S
            self._stop.wait(pause_s)
        session.close()

    def _look(self, session: Session, look: _Look) -> None:
        seen = look(session)
        if not session.is_known:  # taken down meanwhile: what was seen is gone
            return
        with self._lock:
            self._seen += [(time.time(), event) for event in seen]


def _machine_samples(session: Session) -> Sequence[Event]:
    """Look at the machines, where the lab's screen shows them."""
    panels = session.lab.panels
    return session.machine_samples() if not panels or "machines" in panels else []
