"""The commands of the local cloud, and the sweep for what no session knows."""

from __future__ import annotations

import json
from typing import Any

import click

from labctl.cli.options import Common, agree, common_options
from labctl.errors import LeftoversError
from labctl.text import harmless

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def cloud() -> None:
    """Start, stop or look at the local cloud.

    \b
    Example: labctl cloud status
    """


@cloud.command()
@click.option("--port", type=click.IntRange(1024, 65535), help="Serve on this port.")
@json_option
def start(port: int | None, as_json: bool) -> None:
    """Start the local cloud; `run` and `up` do it by themselves.

    \b
    Example: labctl cloud start --port 4566
    """
    from labctl.cloud.launch import ensure_started
    from labctl.headless.cloud import cloud_lines
    from labctl.paths import state_folder

    ensure_started(state_folder(), port=port)
    click.echo("\n".join(cloud_lines(state_folder(), as_json=as_json)))


@cloud.command()
@json_option
def status(as_json: bool) -> None:
    """Show the endpoint, the instances and how they are separated.

    \b
    Example: labctl cloud status --json
    """
    from labctl.headless.cloud import cloud_lines
    from labctl.paths import state_folder

    click.echo("\n".join(cloud_lines(state_folder(), as_json=as_json)))


@cloud.command()
def stop() -> None:
    """Stop the local cloud and every instance on it; its data stays.

    \b
    Example: labctl cloud stop
    """
    from labctl.cloud import launch
    from labctl.paths import state_folder

    launch.stop(state_folder())
    click.echo("the local cloud is stopped; its data stays\nnext: labctl cloud start")


@cloud.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Stop the local cloud and delete all that it holds.

    \b
    Example: labctl cloud reset --yes
    """
    from labctl.cloud import launch
    from labctl.paths import state_folder

    agree("Delete everything on the local cloud?", yes=yes)
    launch.reset(state_folder())
    click.echo("the local cloud is empty\nnext: labctl run numbers")


@click.command()
@click.option("--delete", is_flag=True, help="Delete what was found.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
def sweep(common: Common, delete: bool, yes: bool) -> None:
    """Find what bears our tags and no session knows.

    \b
    Examples: labctl sweep --target aws
              labctl sweep --delete
    """
    from labctl.cli.stopping import cancelled_by_signals
    from labctl.engine.strays import find_strays

    printer = common.printer()
    strays = find_strays(common.choices(), sinks=[printer], cancelled=cancelled_by_signals())
    names = strays.names
    if not common.json:
        found = [*names, f"{len(names)} found that no session knows"]
        click.echo("\n".join(harmless(line) for line in found))
    left = names
    if names and delete:
        agree(f"Delete these {len(names)}?", yes=yes)
        left = strays.delete()
    printer.close()
    if common.json:
        click.echo(json.dumps({"strays": names, "left": left}))
    if left and delete:
        raise LeftoversError(f"{len(left)} left: {', '.join(left)}", "run it again")
    if left:
        raise LeftoversError(f"{len(left)} found", "labctl sweep --delete removes them")
    if not common.json:
        click.echo("nothing is left\nnext: labctl status")


COMMANDS: list[Any] = [cloud, sweep]
