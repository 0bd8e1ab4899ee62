"""Does faults to machines and undoes them, from a lab's screen."""

from __future__ import annotations

import threading

from labctl.actions.base import Chosen, Form
from labctl.engine.faults import Wanted, begin_faults, end_faults, events_kept, hold_faults
from labctl.faults.registry import faults
from labctl.session import Session
from labctl.spec.params import Param
from labctl.spec.quantities import duration_s
from labctl.telling import seconds
from labctl.tui.doing.base import Doing

_FOR = Param(type="duration", default="30s", max="24h", help="0s: until it is cleared.")


class Faults(Doing):
    """Harm that is done on purpose."""

    def _fault(self) -> None:
        machines = sorted(self._screen.view.machines)
        if not machines:
            self._warn("no machine is known to be up: u brings the lab up")
            return
        roles = sorted({name.partition(".")[0] for name in machines})
        kinds = tuple(faults())
        options = {
            "fault": Param(type="choice", default="stop", choices=kinds, help="What is done."),
            "machine": Param(
                type="choice", default=machines[0], choices=(*machines, *roles), help="Or a role."
            ),
            "for": _FOR,
        }
        self._fill("fault: a harm on purpose, undone again", Form(options=options), self._ask_fault)

    def _ask_fault(self, chosen: Chosen) -> None:
        fault = faults()[str(chosen.options["fault"])]
        machine, for_s = str(chosen.options["machine"]), duration_s(chosen.options["for"])
        defaults = {name: param.default for name, param in fault.options.items()}
        wanted = Wanted(fault, defaults, for_s or None)
        lasts = f"for {seconds(for_s)}" if for_s else "once" if wanted.passes else "until cleared"

        def harm(session: Session, cancelled: threading.Event) -> str:
            return _harm(session, wanted, machine)

        self._confirm(
            f"{fault.what(defaults)} on {machine} {lasts}?",
            [fault.say.partition("\n")[0]],
            lambda: self.begin("fault", harm, self._tell),
        )

    def _clear_faults(self) -> None:
        def clear(session: Session, cancelled: threading.Event) -> str:
            with session.standing() as stage, events_kept(stage):
                return f"faults cleared: {len(end_faults(stage))}"

        self.begin("clear", clear, self._tell)


def _harm(session: Session, wanted: Wanted, machine: str) -> str:
    """Do a fault, hold it for its time, and return what to say of it."""
    with session.standing() as stage, events_kept(stage):
        begun = begin_faults(stage, wanted, machine)
        if not begun.now:
            return f"{begun.before[0].what} is on {machine} already"
        if wanted.for_s is not None:
            hold_faults(stage, begun.now, on_wait=lambda left_s, jobs: None)
            return f"{begun.now[0].what} on {machine} is over"
        return f"{begun.now[0].what} on {machine}" + ("" if wanted.passes else ": a, clear ends it")
