"""The commands of the local cloud, and the sweep for what no session knows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from labctl.cli.options import Common, agree, common_options
from labctl.errors import LeftoversError
from labctl.text import harmless

_SESSION_OFF = 0.0  # no time to live: nothing expires


def _session_ttl(
    context: click.Context, parameter: click.Parameter, given: str | None
) -> float | None:
    if given is None:
        return None
    if given == "off":
        return _SESSION_OFF
    from labctl.cloud.session_mode import LONGEST_TTL_S
    from labctl.spec.quantities import duration_s

    try:
        ttl_s = duration_s(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not 0 < ttl_s <= LONGEST_TTL_S:
        raise click.BadParameter(f"'{given}' is not more than 0 and at most 12h")
    return ttl_s


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def cloud() -> None:
    """Start, stop or look at the local cloud.

    \b
    Example: labctl cloud status
    """


@cloud.command()
@click.option("--port", type=click.IntRange(1024, 65535), help="Serve on this port.")
@click.option(
    "--session-ttl",
    metavar="DURATION|off",
    callback=_session_ttl,
    help="Give out keys that expire after this time, as an AWS Academy lab does.",
)
@click.option(
    "--tier",
    type=click.Choice(["net", "plain"]),
    help="How instances are kept apart; otherwise the best that works here.",
)
@json_option
def start(port: int | None, session_ttl: float | None, tier: str | None, as_json: bool) -> None:
    """Start the local cloud; `run` and `up` do it by themselves.

    \b
    Examples: labctl cloud start --port 4566
              labctl cloud start --session-ttl 3h
              labctl cloud start --session-ttl off
              labctl cloud start --tier plain
    """
    from labctl.cloud.launch import ensure_started
    from labctl.cloud.session_mode import set_session_ttl
    from labctl.headless.cloud import cloud_lines
    from labctl.paths import state_folder

    ensure_started(state_folder(), port=port, tier=tier or "")
    if session_ttl is not None:
        set_session_ttl(state_folder(), session_ttl or None)
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
@json_option
def session(as_json: bool) -> None:
    """Print fresh session keys, as AWS Academy shows them.

    They are saved nowhere. The cloud must be in session mode (start --session-ttl).

    \b
    Example: labctl cloud session | labctl creds paste
    """
    from labctl.cloud.session_mode import issue_session
    from labctl.output import write_keys
    from labctl.paths import state_folder

    keys = issue_session(state_folder())
    write_keys(f"{json.dumps(asdict(keys))}\n" if as_json else keys.block())


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
@click.option("--expired", is_flag=True, help="Take down what has outlived its time to live.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
def sweep(common: Common, delete: bool, expired: bool, yes: bool) -> None:
    """Find what bears our tags and no session knows.

    With --expired, take down every session whose time is over, and what its tags still know of
    others, with the proof that `down` gives; all else stays as it is.

    \b
    Examples: labctl sweep --target aws
              labctl sweep --delete
              labctl sweep --expired
    """
    if expired:
        from labctl.cli.sweep_expired import sweep_expired

        sweep_expired(common, yes=yes)
        return
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
