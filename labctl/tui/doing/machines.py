"""Opens shells on machines and changes how many a role has, from a lab's screen."""

from __future__ import annotations

from textual.app import SuspendNotSupported

from labctl.actions.base import Chosen, Form
from labctl.events import ScaleFinished
from labctl.spec.params import Param
from labctl.tui import works
from labctl.tui.doing.base import Doing
from labctl.tui.screens.choose import Choice
from labctl.tui.shell import run_shell, shell_arguments, shell_command


class Machines(Doing):
    """What is done with machines."""

    def shell(self, machine: str) -> None:
        """Give the terminal to a shell on a machine, and take it back when that ends."""
        screen = self._screen
        arguments = shell_arguments(str(screen.lab.path), machine, screen.choices)
        try:
            with self._app.suspend():
                trouble = run_shell(arguments)
        except SuspendNotSupported:
            self._warn(f"no shell can be shown here; in a terminal: {shell_command(arguments)}")
            return
        if trouble:
            self._warn(f"the shell on {machine}: {trouble}")

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
