"""The commands that show a screen: a lab's, the catalogue's, a replay; here or in a browser."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from labctl.cli.options import Common, common_options, complete_lab
from labctl.errors import UsageError


def open_screen(common: Common | None = None, lab: str = "") -> None:
    """Show the screen until it is left, and then how to come back."""
    from labctl.engine.choices import Choices
    from labctl.tui.app import LabctlApp

    need_terminal("labctl run LAB works without one")
    app = LabctlApp(common.choices() if common else Choices(), lab=lab)
    said = app.run()
    if app.refusal is not None:
        raise app.refusal
    if said:
        click.echo(said)


def need_terminal(hint: str) -> None:
    """Refuse where no screen can be shown; textual-serve's pipes are as good as a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) and "TEXTUAL_DRIVER" not in os.environ:
        raise UsageError("the screen needs a terminal", hint)


@click.command(name="open")
@click.argument("lab", required=False, default="", shell_complete=complete_lab)
@common_options
def open_(lab: str, common: Common) -> None:
    """Show LAB on a screen of its own, live; with no LAB, the catalogue.

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


@click.command()
@click.argument("lab", required=False, default="", shell_complete=complete_lab)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port; one that is free if 0."
)
@common_options
def serve(lab: str, port: int, common: Common) -> None:
    """Show the screen in a browser on this machine, and nowhere else.

    It prints an address that is good once: the browser that opens it first may go on.

    \b
    Example: labctl serve numbers
    """
    from labctl.spec.catalogue import find_lab, load_catalogue
    from labctl.tui.serve import ScreenServer
    from labctl.tui.shell import OURSELVES

    if lab:
        find_lab(lab, load_catalogue(common.labs))  # else the mistake would show in the browser
    server = ScreenServer([*OURSELVES, "open", *_as_options(common), "--", lab], port=port)

    def say(address: str) -> None:
        click.echo(f"open {address}")
        click.echo("it is good once; Ctrl-C ends the server, and labs that are up stay up")

    server.serve_until_stopped(say)


def _as_options(common: Common) -> Iterator[str]:
    """Give the user's choices again, for the command that the server starts for each browser."""
    for option, value in (
        ("--target", common.target),
        ("--name", common.name),
        ("--labs", common.labs and common.labs.resolve()),
        *(("--set", f"{name}={value}") for name, value in common.settings.items()),
    ):
        if value:
            yield from (option, str(value))
    if common.plain_names:
        yield "--plain-names"


COMMANDS: list[Any] = [open_, replay, serve]
