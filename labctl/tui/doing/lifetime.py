"""Brings a lab up, runs it, checks it and takes it down, from its screen."""

from __future__ import annotations

import threading
import time

from labctl.actions.base import Chosen, Form
from labctl.engine.bus import EventFile
from labctl.engine.lifetime import ends_sooner
from labctl.events import EndMoved, TeardownProved
from labctl.session import Session
from labctl.spec.params import Param
from labctl.spec.quantities import life_s as life_in_s
from labctl.telling import line_of, seconds
from labctl.tui.doing.base import Doing
from labctl.tui.screens.proof import Proof

_LIVES = Param(type="duration", default="2h", min="1s", max="366d", help="Such as 90m or 3h.")


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

    def _extend(self) -> None:
        record = self._screen.record
        if record is None:
            self._warn(f"{self._screen.name_of_session} is not up: u brings it up")
            return

        def go(chosen: Chosen) -> None:
            life_s = life_in_s(chosen.options["lives"])
            if not ends_sooner(record, life_s, now=time.time()):
                begin(life_s, sooner=False)
                return
            left = seconds(record.expires_at - time.time())
            self._confirm(
                f"End {record.name} in {seconds(life_s)}, sooner than in {left}?",
                ["its machines end themselves then, with what they hold"],
                lambda: begin(life_s, sooner=True),
            )

        def begin(life_s: float, *, sooner: bool) -> None:
            def extend(session: Session, cancelled: threading.Event) -> object:
                session.may_shorten = sooner
                return session.extend(life_s)

            self.begin("extend", extend, self._extended)

        self._fill("extend: how long it lives from now", Form(options={"lives": _LIVES}), go)

    def _extended(self, moved: object) -> None:
        if isinstance(moved, EndMoved):
            self._say(line_of(moved) or "")

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
