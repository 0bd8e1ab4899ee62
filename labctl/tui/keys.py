"""The keys of one target as the screen knows them: a thread asks, saves, and passes them on."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labctl import events as e
from labctl.engine.choices import Choices
from labctl.errors import LabctlError
from labctl.paths import state_folder

if TYPE_CHECKING:  # the threads import what asks: it is more than all of a first screen
    from labctl.engine.credentials import Desk
    from labctl.targets.base import KeysReport

_EVERY_S = 30.0
_WHILE_ENDED_S = 2.0  # new ones may be saved by an editor
_KEPT = 100  # events that no screen has taken


@dataclass(frozen=True)
class Standing:
    """What the last look found; no report: nothing could be asked."""

    report: KeysReport | None = None
    may_expire: bool = False  # a local cloud whose keys can be ended on demand
    fault: str = ""  # why what was saved last is not taken

    @property
    def ended(self) -> bool:
        """Whether keys that end are not accepted any more."""
        report = self.report
        return report is not None and report.temporary and bool(report.why) and not report.unasked


class TargetKeys:
    """A thread for one target and profile; what it found is `standing`, always there to read.

    `take` hands a session's screen what happened to its machines' keys.
    """

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self.standing = Standing()
        self._desk: Desk | None = None
        self._fault = ""
        self._stop, self._now = threading.Event(), threading.Event()
        self._push = threading.Event()
        self._lock = threading.Lock()  # one asks or saves at a time
        self._events: dict[str, deque[tuple[float, e.Event]]] = {}

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._keep_looking, name="keys", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._now.set()

    def look_now(self) -> None:
        """Look again without waiting."""
        self._now.set()

    def take(self, session: str) -> list[tuple[float, e.Event]]:
        """Return what happened to the keys of a session's machines since the last call."""
        events = self._events.get(session)
        return [events.popleft() for _ in range(len(events))] if events else []

    def save(self, pasted: str, *, minutes_left: float | None) -> KeysReport:
        """Prove pasted keys and save them; machines get them soon after. It asks the service.

        Raises `LabctlError`, and changes nothing, when they are not good.
        """
        with self._lock:
            desk = self._desk_of_now(start=True)
            report = desk.save(pasted, minutes_left=minutes_left)
            self._fault = ""
            self._found(report)
        self._push.set()
        self._now.set()
        return report

    def _keep_looking(self) -> None:
        while not self._stop.is_set():
            self._now.clear()
            with self._lock:
                self._look()
            if self._push.is_set():
                self._push.clear()
                self._push_to_all()
            self._now.wait(_WHILE_ENDED_S if self.standing.ended else _EVERY_S)

    def _look(self) -> None:
        try:
            self._found(self._desk_of_now(start=False).report())
        except Exception as error:  # the edge of a thread: what cannot be asked is not known
            from labctl.targets.failures import classify

            self._found(None, why=classify(error).error.message)

    def _found(self, report: KeysReport | None, *, why: str = "") -> None:
        from labctl.cloud.session_mode import session_mode
        from labctl.engine.opening import LOCAL

        may_expire = False
        if report is not None and self._target == LOCAL:
            may_expire = session_mode(state_folder()) is not None
        self.standing = Standing(report, may_expire, self._fault or why)

    @property
    def _target(self) -> str:
        return self._choices.target

    def _desk_of_now(self, *, start: bool) -> Desk:
        """Return the desk, of the cloud as it runs now and the sessions that there are now."""
        from labctl.engine.credentials import open_desk, users_of
        from labctl.targets.base import KeyWait

        wait = KeyWait(tell=self._told)
        if self._desk is None:
            self._desk = open_desk(self._choices, wait=wait, start=start)
        elif start:
            self._desk.target.start()
        else:
            self._desk.target.join()
        users = users_of(self._choices.target, self._choices.profile)
        self._desk = replace(self._desk, users=users)
        return self._desk

    def _told(self, event: e.Event) -> None:
        if isinstance(event, e.CredentialsRenewed):
            self._fault = ""
            self._push.set()
            self._now.set()
        elif isinstance(event, e.Warned):
            self._fault = event.message

    def _push_to_all(self) -> None:
        from labctl.session import Session
        from labctl.targets.failures import classify

        desk = self._desk
        for record in desk.users if desk else ():
            tell = self._teller(record.name)
            session = Session(record.lab_file, self._choices.meaning(record), sinks=[tell])
            try:
                session.push_keys()
            except Exception as error:  # the edge of a thread: told on the screen
                known = error if isinstance(error, LabctlError) else classify(error).error
                why = f"the machines have no new keys: {known.message}"
                tell(time.time(), e.Warned(message=why, hint=known.hint))
            finally:
                session.close()

    def _teller(self, session: str) -> Callable[[float, e.Event], None]:
        events = self._events.setdefault(session, deque(maxlen=_KEPT))

        def tell(at: float, event: e.Event) -> None:
            if isinstance(event, e.KeysPushed | e.Warned):
                events.append((at, event))

        return tell


class AllKeys:
    """The keys of every target that a screen was about, each looked at by one thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], TargetKeys] = {}

    def of(self, choices: Choices, *, target: str, profile: str) -> TargetKeys:
        """Return the keys of a target and profile, looked at from now on."""
        name = (target, profile)
        if name not in self._known:
            chosen = Choices(target=target, profile=profile, catalogue_file=choices.catalogue_file)
            self._known[name] = TargetKeys(chosen)
            self._known[name].start()
        return self._known[name]

    def stop(self) -> None:
        """Look at none any more."""
        for keys in self._known.values():
            keys.stop()
