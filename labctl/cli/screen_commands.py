"""The commands that show a screen: a lab's, or the catalogue's."""

from __future__ import annotations

import sys
from typing import Any

import click

from labctl.cli.options import Common, common_options, lab_argument
from labctl.errors import UsageError


def open_screen(common: Common | None = None, lab: str = "") -> None:
    """Show the screen until it is left, and then how to come back."""
    from labctl.engine.opening import Choices
    from labctl.tui.app import LabctlApp

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the screen needs a terminal", "labctl run LAB works without one")
    said = LabctlApp(common.choices() if common else Choices(), lab=lab).run()
    if said:
        click.echo(said)


@click.command(name="open")
@lab_argument
@common_options
def open_(lab: str, common: Common) -> None:
    """Show LAB on a screen of its own, live; with no LAB, `labctl` shows the catalogue.

    \b
    Example: labctl open numbers
    """
    open_screen(common, lab)


COMMANDS: list[Any] = [open_]
