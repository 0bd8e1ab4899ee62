"""Brings a lab up, runs it, checks it and takes it down, from its screen."""

from __future__ import annotations

import threading

from labctl.engine.bus import EventFile
from labctl.events import TeardownProved
from labctl.session import Session
from labctl.tui.doing.base import Doing
from labctl.tui.screens.proof import Proof


class Lifetime(Doing):
    """From nothing to a proof that nothing is left."""

    def _up(self) -> None:
        self.begin("up", lambda session, stop: session.up(confirm=self._asking(session, stop)))

    def _run(self) -> None:
        self.begin("run", lambda session, stop: session.run(confirm=self._asking(session, stop)))

    def _check(self) -> None:
        def check(session: Session, cancelled: threading.Event) -> object:
            if not session.is_known:
                return session.check()  # says so
            # The facade keeps no events of a check; kept, every screen shows its verdicts.
            file = EventFile(session.folder.events_file)
            session.bus.add(file)
            try:
                return session.check()
            finally:
                file.close()

        def told(ok: object) -> None:
            self._say("every check holds" if ok else "not every check holds", ok=bool(ok))

        self.begin("check", check, told)

    def _down(self) -> None:
        view = self._screen.view
        names = [
            f"{each.kind} {each.physical_name or each.name}"
            for each in view.resources.values()
            if each.state not in ("planned", "deleted")
        ]
        app = self._app

        def proved(proof: object) -> None:
            if isinstance(proof, TeardownProved):
                app.push_screen(Proof(proof))

        self._confirm(
            f"Delete everything of {self._screen.name_of_session}?",
            names or ["nothing is known to stand; what its tags find is deleted"],
            lambda: self.begin("down", lambda session, stop: session.down(), proved),
        )
