"""Sends jobs by hand, empties queues and sends dead letters back, from a lab's screen."""

from __future__ import annotations

from labctl.actions.base import Chosen
from labctl.tui import works
from labctl.tui.doing.base import Doing
from labctl.tui.screens.choose import Choice


class Jobs(Doing):
    """What is done with jobs and messages."""

    def _send(self) -> None:
        lab = self._screen.lab

        def go(chosen: Chosen) -> None:
            if not (chosen.words or any(chosen.options.values())):
                self._warn("nothing to send: type a job, or choose a pre-made or a random one")
                return
            self._begin_showing("send", lambda session: works.sent(session, chosen))

        self._fill("send a job", works.send_form(lab), go, one_word=True)

    def _purge(self) -> None:
        queues = self._resources("sqs.queue")

        def go(queue: str) -> None:
            seen = self._screen.view.queues.get(queue)
            held = f"about {seen.last.total} messages" if seen and seen.last else "its messages"
            self._confirm(
                f"Delete every message of {queue}?",
                [f"{queue}: {held}"],
                lambda: self.begin(
                    "purge", lambda session, stop: works.purged(session, queue), self._tell
                ),
            )

        self._choose("purge which queue?", [Choice(name, name) for name in queues], go)

    def _redrive(self) -> None:
        lab = self._screen.lab
        names = [
            f"{letters.to} -> {name}"
            for name in self._resources("sqs.queue")
            if (letters := getattr(lab.resources[name], "dead_letter", None)) is not None
        ]
        if not names:
            self._warn("no queue of this lab has a dead-letter queue")
            return
        self._confirm(
            "Send the dead letters back? What failed before may fail again.",
            names,
            lambda: self.begin(
                "redrive", lambda session, stop: works.redriven(session), self._tell
            ),
        )
