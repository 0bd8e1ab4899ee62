"""Everything that can be done to a lab from its screen: asked for, confirmed, begun, told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.actions.base import Chosen, Fact, Form
from labctl.engine.actions import form_of
from labctl.engine.bus import EventFile
from labctl.events import ScaleFinished, TeardownProved
from labctl.plan.model import Plan
from labctl.session import Confirm as ConfirmPlan
from labctl.session import Session
from labctl.spec.params import Param
from labctl.text import one_line
from labctl.tui import works
from labctl.tui.operation import Operation
from labctl.tui.operations import Then
from labctl.tui.screens.choose import Choice
from labctl.tui.screens.dialogs import Dialogs
from labctl.tui.screens.proof import Proof
from labctl.tui.screens.results import Results

if TYPE_CHECKING:
    from labctl.tui.app import LabctlApp
    from labctl.tui.screens.lab import LabScreen

Work = Callable[[Session, threading.Event], object]
"""What a thread does with the facade; the event asks it to stop."""


@dataclass(frozen=True)
class Offer:
    """One thing to do, by name, and how to begin it."""

    id: str
    tip: str
    begin: Callable[[], None]


class LabActions(Dialogs):
    """What a lab's screen can do; its operations outlive the screen."""

    def __init__(self, screen: LabScreen) -> None:
        self._screen = screen

    @property
    def _app(self) -> LabctlApp:
        return self._screen.app

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
            Offer("scale", "Give a role another number of machines", self._scale),
            Offer("purge", "Delete every message of a queue", self._purge),
            Offer("redrive", "Send dead letters back to their queue", self._redrive),
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

    def begin(self, name: str, work: Work, then: Then | None = None) -> None:
        """Do something in a thread, unless what runs forbids it."""
        screen, operations = self._screen, self._app.operations
        other = operations.in_the_way_of(name, screen.name_of_session)
        if other is not None:
            self._warn(f"{other.name} still runs; s stops it")
            return
        path, choices = str(screen.lab.path), screen.choices

        def in_thread(cancelled: threading.Event) -> object:
            session = Session(path, choices, cancelled=cancelled)
            try:
                return work(session, cancelled)
            finally:
                session.close()

        operations.begin(Operation(name, in_thread), session=screen.name_of_session, then=then)
        screen.redraw()

    def stop(self) -> None:
        """Ask what runs to stop."""
        running = self._screen.operations
        if not running:
            self._warn("nothing runs here")
        for operation in running:
            operation.cancelled.set()
            self._warn(f"stopping {operation.name}: the steps that run are finished first")

    # Up, run, check, down

    def _up(self) -> None:
        self.begin("up", lambda session, stop: session.up(confirm=self._asking(session, stop)))

    def _run(self) -> None:
        self.begin("run", lambda session, stop: session.run(confirm=self._asking(session, stop)))

    def _asking(self, session: Session, cancelled: threading.Event) -> ConfirmPlan | None:
        """Return how a thread asks before money is spent: on AWS only."""
        if session.record.target != "aws":
            return None
        operations, lab = self._app.operations, session.record.lab

        def ask(plan: Plan, price_per_hour_usd: float) -> bool:
            steps = [
                f"{step.action} {step.kind} {step.name}"
                for step in plan.steps
                if step.action not in ("keep", "push")
            ]
            say = f"{lab}: do this on AWS for about {price_per_hour_usd:.4f} USD an hour?"
            return operations.ask(say, steps, cancelled)

        return ask

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

    # Jobs and queues

    def _send(self) -> None:
        lab = self._screen.lab

        def go(chosen: Chosen) -> None:
            if not (chosen.words or any(chosen.options.values())):
                self._warn("nothing to send: type a job, or choose a pre-made or a random one")
                return
            self.begin(
                "send", lambda session, stop: works.sent(session, chosen), self._show("send")
            )

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

    # Machines

    def _scale(self) -> None:
        roles = works.scalable(self._screen.lab)
        if not roles:
            self._warn("no role of this lab has a number of machines to choose")
        elif len(roles) == 1:
            (role,) = roles
            self._scale_role(role, roles[role])
        else:
            choices = [Choice(role, role) for role in roles]
            self._choose(
                "scale which role?", choices, lambda role: self._scale_role(role, roles[role])
            )

    def _scale_role(self, role: str, parameter: Param) -> None:
        known = self._screen.view.resources.get(role)
        now = known.members if known else 0
        machines = works.count_field(parameter, now)

        def go(chosen: Chosen) -> None:
            count = int(chosen.options["machines"])

            def begin() -> None:
                self.begin(
                    "scale",
                    lambda session, stop: session.scale(
                        role, count, confirm=self._asking(session, stop)
                    ),
                    self._scaled,
                )

            if count < now:
                says = f"{now - count} of {now} machines of {role} end, their jobs returned"
                self._confirm(f"Scale {role} down to {count}?", [says], begin)
            else:
                begin()

        self._fill(f"scale {role}", Form(options={"machines": machines}), go)

    def _scaled(self, done: object) -> None:
        if isinstance(done, ScaleFinished):
            self._say(f"{done.role}: {done.before} -> {done.machines} machines")

    # Looking outside

    def tell_resource(self, name: str) -> None:
        """Show what is known of a resource."""
        seen = self._screen.view.resources.get(name)
        lines = [f"kind: {self._screen.lab.resources[name].kind}"]
        if seen is not None:
            lines += [f"state: {seen.state}", f"name: {seen.physical_name}", f"id: {seen.id}"]
            lines += [line for _, line in seen.recent]
        facts = [Fact(True, one_line(line), {}) for line in lines]
        self._app.push_screen(Results(name, facts))

    def _copy(self) -> None:
        self._with_addresses("copy what?", self._app.copy_out, only_pages=False)

    def _open(self) -> None:
        self._with_addresses("open which page?", self._app.open_url, only_pages=True)

    def _with_addresses(self, title: str, use: Callable[[str], None], *, only_pages: bool) -> None:
        def found(addresses: object) -> None:
            assert isinstance(addresses, dict), "the work gives addresses by name"
            given = dict(works.pages(addresses.items())) if only_pages else addresses
            if not given:
                self._warn("the lab gives none")
                return
            choices = [Choice(name, name, value) for name, value in given.items()]
            self._choose(title, choices, lambda name: use(given[name]))

        self.begin("look", lambda session, stop: works.addresses(session), found)

    def _export(self) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        name = f"labctl-{self._screen.lab.name}-{stamp}.svg"
        try:
            Path(name).write_text(self._app.export_screenshot(), encoding="utf-8")
        except OSError as error:
            self._say(f"{name} cannot be written: {error.strerror}", ok=False)
            return
        self._say(f"written: {Path(name).absolute()}")

    # The lab's own

    def _declared(self, name: str) -> None:
        declared = self._screen.lab.actions[name]
        form = form_of(declared)

        def go(chosen: Chosen) -> None:
            self.begin(
                name, lambda session, stop: works.acted(session, name, chosen), self._show(name)
            )

        if form.words is None and not form.options:
            go(Chosen())
        else:
            self._fill(f"{name}: {declared.say}", form, go)

    def _resources(self, kind: str) -> list[str]:
        return [n for n, model in self._screen.lab.resources.items() if model.kind == kind]
