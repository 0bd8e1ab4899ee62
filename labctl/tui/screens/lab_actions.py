"""Everything that can be done to a lab from its screen, by name, its own actions too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labctl.actions.base import Chosen
from labctl.engine.actions import form_of
from labctl.tui import works
from labctl.tui.doing.bench import Bench
from labctl.tui.doing.faults import Faults
from labctl.tui.doing.jobs import Jobs
from labctl.tui.doing.keys import Keys
from labctl.tui.doing.lifetime import Lifetime
from labctl.tui.doing.machines import Machines
from labctl.tui.doing.outside import Outside
from labctl.tui.screens.choose import Choice


@dataclass(frozen=True)
class Offer:
    """One thing to do, by name, and how to begin it."""

    id: str
    tip: str
    begin: Callable[[], None]


class LabActions(Lifetime, Bench, Jobs, Keys, Machines, Faults, Outside):
    """What a lab's screen offers; each part of it is a file of its own."""

    @property
    def offers(self) -> Sequence[Offer]:
        """Everything on offer, the lab's own actions last."""
        lab = self._screen.lab
        own = [
            Offer(name, declared.say, lambda name=name: self._declared(name))  # type: ignore[misc]
            for name, declared in lab.actions.items()
        ]
        return [
            Offer("up", "Bring the lab up, or up to date", self._up),
            Offer("run", "Bring it up, send its jobs, check", self._run),
            Offer("check", "Run the lab's checks", self._check),
            *(
                [Offer("send", "Send jobs by hand, see answers", self._send)]
                if lab.workload
                else []
            ),
            *(
                [Offer("bench", "Measure the lab's benchmarks, live", self._bench)]
                if lab.benchmarks
                else []
            ),
            Offer("scale", "Give a role another number of machines", self._scale),
            Offer("extend", "Have the lab end so long from now", self._extend),
            Offer("purge", "Delete every message of a queue", self._purge),
            Offer("redrive", "Send dead letters back to their queue", self._redrive),
            Offer("credentials", "Until when they last; paste new ones", self._credentials),
            Offer("fault", "Do a harm to machines on purpose", self._fault),
            *(
                [Offer("clear", "Undo every fault that is on", self._clear_faults)]
                if self._screen.view.faults.on
                else []
            ),
            *(
                [Offer("expire", "End the local cloud's keys at once, to see", self._expire)]
                if self._may_expire
                else []
            ),
            Offer("down", "Delete everything, and prove it", self._down),
            Offer("stop", "Stop what runs now, gently", self.stop),
            Offer("copy", "Copy an address or an output", self._copy),
            Offer("open", "Open a page of the lab in the browser", self._open),
            Offer("export", "Write what is shown to a picture (SVG)", self._export),
            *own,
        ]

    def do(self, name: str) -> None:
        """Begin the offer of this name."""
        next(offer for offer in self.offers if offer.id == name).begin()

    def offer(self) -> None:
        """Let one of the offers be chosen."""
        offers = list(self.offers)
        choices = [Choice(str(number), offer.id, offer.tip) for number, offer in enumerate(offers)]
        self._choose(
            f"{self._screen.lab.name}: actions", choices, lambda id: offers[int(id)].begin()
        )

    def stop(self) -> None:
        """Ask what runs to stop."""
        running = self._screen.operations
        if not running:
            self._warn("nothing runs here")
        for operation in running:
            operation.cancelled.set()
            self._warn(f"stopping {operation.name}: the steps that run are finished first")

    def _declared(self, name: str) -> None:
        declared = self._screen.lab.actions[name]
        form = form_of(declared)

        def go(chosen: Chosen) -> None:
            self._begin_showing(name, lambda session: works.acted(session, name, chosen))

        if form.words is None and not form.options:
            go(Chosen())
        else:
            self._fill(f"{name}: {declared.say}", form, go)
