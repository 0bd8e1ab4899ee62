"""Shows the credentials and ends those of the local cloud on demand, from a lab's screen."""

from __future__ import annotations

from labctl.cloud.session_mode import end_sessions
from labctl.paths import state_folder
from labctl.tui.doing.base import Doing


class Keys(Doing):
    """What is done with credentials."""

    @property
    def _may_expire(self) -> bool:
        """Whether there are keys that can be ended: the local cloud's, in session mode."""
        keys = self._screen.keys
        return keys is not None and keys.standing.may_expire

    def _credentials(self) -> None:
        self._app.action_credentials()

    def _expire(self) -> None:
        keys = self._screen.keys

        def ended(_: object) -> None:
            if keys is not None:
                keys.look_now()
            self._say("every session key that the local cloud has issued is expired now")

        self._confirm(
            "End every session key of the local cloud now?",
            ["every lab on it pauses, its machines too, until new keys are pasted"],
            lambda: self.begin("expire", lambda session, stop: end_sessions(state_folder()), ended),
        )
