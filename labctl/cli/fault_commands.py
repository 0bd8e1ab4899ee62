"""The commands that do harm on purpose, so that one sees how a lab bears it."""

from __future__ import annotations

from typing import Any

import click


@click.group()
def fault() -> None:
    """Do a harm on purpose, and watch how the lab bears it.

    \b
    Example: labctl fault expire
    """


@fault.command()
@click.option("--target", type=click.Choice(["local"]), default="local", help="Whose keys.")
def expire(target: str) -> None:
    """End every session of the local cloud at once.

    That is what happens to your keys when the time of an AWS Academy lab is up. The cloud must be
    in session mode (labctl cloud start --session-ttl).

    \b
    Example: labctl fault expire
    """
    from labctl.cloud.session_mode import end_sessions
    from labctl.paths import state_folder

    end_sessions(state_folder())
    click.echo(
        f"every session key that the {target} cloud has issued is expired now\n"
        "next: labctl cloud session | labctl creds paste"
    )


COMMANDS: list[Any] = [fault]
