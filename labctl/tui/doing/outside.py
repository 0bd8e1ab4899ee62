"""Shows, copies and opens what a lab has, and exports what is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from labctl.actions.base import Fact
from labctl.text import one_line
from labctl.tui import works
from labctl.tui.doing.base import Doing
from labctl.tui.screens.choose import Choice
from labctl.tui.screens.results import Results


class Outside(Doing):
    """What is looked at, and what leaves the screen."""

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
