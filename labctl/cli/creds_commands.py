"""The commands of credentials that end: look at them, paste new ones, hand them on."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.options import Command, creds_timeout_option
from labctl.errors import CredentialsError

if TYPE_CHECKING:
    import threading

    from labctl.engine.choices import Choices
    from labctl.engine.credentials import Desk
    from labctl.targets.base import KeysReport, KeyWait

_LOOK_EVERY_S = 5.0


@click.group()
def creds() -> None:
    """Look at the credentials, paste new ones, give them to the machines.

    \b
    Example: labctl creds status
    """


def _target_options(command: Command) -> Command:
    """Take the options that say whose credentials are meant; they arrive as `choices`."""

    @functools.wraps(command)
    def with_choices(**values: Any) -> Any:  # noqa: ANN401 - click passes what it parsed
        from labctl.engine.choices import Choices

        choices = Choices(
            target=values.pop("target"),
            profile=values.pop("profile"),
            catalogue_file=values.pop("labs"),
        )
        return command(choices=choices, **values)

    for option in (
        click.option("--debug", is_flag=True, help="Show tracebacks.", expose_value=False),
        click.option(
            "--labs",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Use this catalogue file.",
        ),
        click.option("--profile", default="", help="The AWS profile (default: the catalogue's)."),
        click.option("--target", default="", metavar="local|aws|URL", help="Of which target."),
    ):
        with_choices = option(with_choices)
    return with_choices


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@creds.command()
@json_option
@_target_options
def status(choices: Choices, as_json: bool) -> None:
    """Show whose credentials are used, from where, until when, and by whom.

    \b
    Example: labctl creds status --target aws
    """
    from labctl.engine.credentials import open_desk

    desk = open_desk(choices)
    _show(desk, desk.report(), as_json=as_json)


def _show(desk: Desk, report: KeysReport, *, as_json: bool) -> None:
    from labctl.headless.creds import keys_lines, keys_record

    if as_json:
        click.echo(json.dumps(keys_record(report, desk.users)))
    else:
        click.echo("\n".join(keys_lines(report, desk.users)))
    if report.why:
        raise CredentialsError(report.why, report.remedy)


@creds.command()
@click.option(
    "--minutes-left",
    type=click.FloatRange(0, 24 * 60),
    help="How long they live yet, as the lab's page shows it.",
)
@json_option
@_target_options
def paste(choices: Choices, minutes_left: float | None, as_json: bool) -> None:
    """Save new credentials: paste the block as the lab's page shows it; it is not echoed.

    They are proved first; whatever waits for them, machines included, goes on at once.

    \b
    Examples: labctl creds paste --target aws
              labctl cloud session | labctl creds paste
    """
    from labctl.cli.pasting import pasted_block
    from labctl.engine.credentials import open_desk

    desk = open_desk(choices)
    report = desk.save(pasted_block(), minutes_left=minutes_left)
    _push(desk, choices, as_json=as_json)
    _show(desk, report, as_json=as_json)
    if not as_json:
        click.echo("next: labctl status")


@creds.command()
@json_option
@_target_options
def refresh(choices: Choices, as_json: bool) -> None:
    """Read the credentials again, prove them, and give them to the machines that need a file.

    \b
    Example: labctl creds refresh
    """
    from labctl.engine.credentials import open_desk

    desk = open_desk(choices)
    report = desk.report()
    if not report.why:
        _push(desk, choices, as_json=as_json)
    _show(desk, report, as_json=as_json)
    if not as_json:
        click.echo("next: labctl status")


def _push(desk: Desk, choices: Choices, *, as_json: bool) -> None:
    """Give the keys to the machines of every session that uses them."""
    from labctl.events import Event, KeysPushed, Warned
    from labctl.headless.json_lines import JsonLines
    from labctl.headless.plain import Plain
    from labctl.session import Session

    show = JsonLines(sys.stdout) if as_json else Plain()

    def sink(at: float, event: Event) -> None:
        if isinstance(event, KeysPushed | Warned):
            show(at, event)

    for record in desk.users:
        session = Session(record.lab, choices.meaning(record), sinks=[sink])
        session.push_keys()
        session.close()


@creds.command()
@json_option
@_target_options
def watch(choices: Choices, as_json: bool) -> None:
    """Tell when the credentials are about to end, end, or are new; until Ctrl-C.

    \b
    Example: labctl creds watch --target aws
    """
    from labctl.cli.stopping import cancelled_by_signals
    from labctl.engine.credentials import open_desk
    from labctl.headless.creds import keys_lines, keys_record

    cancelled = cancelled_by_signals()
    desk = open_desk(choices, wait=_told(cancelled, as_json=as_json))
    shown = ""
    while not cancelled.is_set():
        report = desk.report()
        state = f"{report.key} {report.why}"
        if state != shown:
            shown = state
            lines = (
                [json.dumps(keys_record(report, desk.users))]
                if as_json
                else keys_lines(report, desk.users)
            )
            click.echo("\n".join(lines))
        cancelled.wait(_LOOK_EVERY_S)


def _told(cancelled: threading.Event, *, as_json: bool, timeout_s: float = 0.0) -> KeyWait:
    """Return a way to wait for keys that tells what happens on standard error."""
    import time

    from labctl.headless.json_lines import JsonLines
    from labctl.headless.plain import Plain
    from labctl.targets.base import KeyWait

    sink = JsonLines(sys.stdout) if as_json else Plain()
    return KeyWait(timeout_s, cancelled, lambda event: sink(time.time(), event))


@creds.command()
@creds_timeout_option
@_target_options
def process(choices: Choices, creds_timeout: float) -> None:
    """Print the credentials for an AWS SDK, as its `credential_process`; used by `labctl env`.

    It waits for new ones when they are over.

    \b
    Example: credential_process = labctl creds process --target aws
    """
    from labctl.cli.stopping import cancelled_by_signals
    from labctl.engine.credentials import open_desk
    from labctl.engine.key_process import process_answer
    from labctl.output import write_keys

    wait = _told(cancelled_by_signals(), as_json=False, timeout_s=creds_timeout)
    write_keys(f"{json.dumps(process_answer(open_desk(choices, wait=wait).target))}\n")


COMMANDS: list[Any] = [creds]
