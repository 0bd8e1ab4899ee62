"""The command palette: every lab, action, panel and resource by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider

from labctl.text import one_line

if TYPE_CHECKING:
    from labctl.tui.app import LabctlApp


class Command(NamedTuple):
    """One line of the palette."""

    say: str
    tip: str
    run: Callable[[], object]


class LabctlCommands(Provider):
    """What can be done from the screen that is shown."""

    async def discover(self) -> Hits:
        """Give all of them while nothing is typed."""
        for command in self._commands():
            yield DiscoveryHit(command.say, command.run, help=command.tip)

    async def search(self, query: str) -> Hits:
        """Give those that fit what is typed."""
        matcher = self.matcher(query)
        for command in self._commands():
            score = matcher.match(command.say)
            if score > 0:
                yield Hit(score, matcher.highlight(command.say), command.run, help=command.tip)

    def _commands(self) -> Iterator[Command]:
        from labctl.tui.screens.lab import LabScreen

        app: LabctlApp = self.app  # type: ignore[assignment]
        if isinstance(self.screen, LabScreen):
            yield from _of_lab(self.screen)
        else:
            say = "Until when they last; paste new ones"
            yield Command("credentials", say, app.action_credentials)
        for row in app.rows:
            yield Command(f"open {_plain(row.name)}", row.title, partial(app.open_row, row))
        yield Command("theme: light or dark", "Turn the colours", app.action_turn_theme)
        yield Command("quit", "Labs that are up stay up", app.action_leave)


def _of_lab(screen: object) -> Iterator[Command]:
    from labctl.tui.screens.lab import LabScreen

    assert isinstance(screen, LabScreen), "only a lab's screen has these"
    for offer in screen.offers:
        yield Command(_plain(offer.id), one_line(offer.tip), offer.begin)
    for number, panel in enumerate(screen.panels):
        say = f"panel: {panel.heading}"
        yield Command(say, "Go to the panel", partial(screen.action_panel, number))
    for name in list(screen.lab.resources):
        yield Command(
            f"resource: {_plain(name)}", "Show it", partial(screen.actions.tell_resource, name)
        )


def _plain(text: str) -> str:
    """Return a name in which nothing is markup: the palette draws its lines with markup on."""
    return one_line(text).replace("[", "(")
