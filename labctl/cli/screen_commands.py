"""The commands that show a screen: a lab's, the catalogue's, a replay; here or in a browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from labctl.cli.options import Common, common_options, lab_argument
from labctl.errors import UsageError


def open_screen(common: Common | None = None, lab: str = "") -> None:
    """Show the screen until it is left, and then how to come back."""
    from labctl.engine.opening import Choices
    from labctl.tui.app import LabctlApp

    need_terminal("labctl run LAB works without one")
    said = LabctlApp(common.choices() if common else Choices(), lab=lab).run()
    if said:
        click.echo(said)


def need_terminal(hint: str) -> None:
    """Refuse where no screen can be shown; textual-serve's pipes are as good as a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) and "TEXTUAL_DRIVER" not in os.environ:
        raise UsageError("the screen needs a terminal", hint)


@click.command(name="open")
@lab_argument
@common_options
def open_(lab: str, common: Common) -> None:
    """Show LAB on a screen of its own, live; with no LAB, `labctl` shows the catalogue.

    \b
    Example: labctl open numbers
    """
    open_screen(common, lab)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--speed",
    type=click.FloatRange(0, 1000),
    default=1.0,
    show_default=True,
    help="How many times faster than it was; 0 is at once.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.", expose_value=False)
def replay(file: Path, speed: float) -> None:
    """Play the events of a session again, from its FILE events.jsonl.

    Space pauses, + and - change the speed. No session is needed, and none is touched.

    \b
    Example: labctl replay --speed 10 events.jsonl
    """
    from labctl.tui.replay import Player, read_events

    events = read_events(file)
    need_terminal("without one, read FILE itself: an event a line, in JSON")
    from labctl.tui.screens.replay import ReplayApp

    ReplayApp(file, Player(events, speed=speed)).run()


COMMANDS: list[Any] = [open_, replay]
