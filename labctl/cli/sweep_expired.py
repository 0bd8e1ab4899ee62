"""`labctl sweep --expired`: shows what has outlived its time, asks, takes it down, proves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from labctl.cli.options import Common, agree, open_known
from labctl.errors import LabctlError, LeftoversError
from labctl.text import harmless

if TYPE_CHECKING:
    from labctl.engine.bus import Sink
    from labctl.events import TeardownProved


@dataclass(frozen=True)
class _Work:
    """One session to take down: what is shown of it, and how it is done."""

    shown: str
    take_down: Callable[[], TeardownProved]


def sweep_expired(common: Common, *, yes: bool) -> None:
    """Take down everything whose time is over; raises `LeftoversError` naming what is left."""
    printer = common.printer()
    works = [*_sessions(common, printer), *_orphans(common, printer)]
    if not common.json:
        found = [*(work.shown for work in works), f"{len(works)} whose time is over"]
        click.echo("\n".join(harmless(line) for line in found))
    if works:
        agree(f"Take these {len(works)} down?", yes=yes)
    left, failures = _done(works)
    printer.close()
    for work, failure in failures:
        click.echo(harmless(f"{work.shown}: {failure.message}"), err=True)
    if left:
        raise LeftoversError(f"{len(left)} left: {', '.join(left)}", "run it again")
    if failures:
        raise failures[0][1]
    if not common.json:
        click.echo("nothing whose time is over is left\nnext: labctl status")


def _done(works: Sequence[_Work]) -> tuple[list[str], list[tuple[_Work, LabctlError]]]:
    """Do the work; what cannot be done to one session does not spare the others."""
    left: list[str] = []
    failures: list[tuple[_Work, LabctlError]] = []
    for work in works:
        try:
            left += work.take_down().left
        except LabctlError as error:
            failures.append((work, error))
    return left, failures


def _sessions(common: Common, printer: Sink) -> list[_Work]:
    from labctl.engine.expired import expired_sessions
    from labctl.telling import clock

    return [
        _Work(
            f"session {record.name} on {record.target}, over since {clock(record.expires_at)}",
            open_known(record, common, sink=printer).down,
        )
        for record in expired_sessions(common.target)
    ]


def _orphans(common: Common, printer: Sink) -> list[_Work]:
    from functools import partial

    from labctl.cli.stopping import cancelled_by_signals
    from labctl.engine.expired import find_expired
    from labctl.telling import clock

    expired = find_expired(common.choices(), sinks=[printer], cancelled=cancelled_by_signals())
    return [
        _Work(
            f"session {each.session} of lab {each.lab}, known by tags only, over since "
            f"{clock(each.ended_at)}: {', '.join(each.names)}",
            partial(expired.take_down, each),
        )
        for each in expired.orphans
    ]
