"""The commands that bring a lab up, run it, look at it and take it down."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.life_options import Life, ask_to_shorten, takes_fetch, takes_force, takes_life
from labctl.cli.options import (
    Common,
    common_options,
    complete_lab,
    lab_argument,
    open_known,
    open_session,
    waits_for_keys,
)
from labctl.errors import ChecksFailed, LeftoversError, UsageError

if TYPE_CHECKING:
    from labctl.plan.model import Plan
    from labctl.session import Confirm, Session

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def confirm_on_aws(session: Session, *, yes: bool) -> Confirm | None:
    """Return how to ask before money is spent: on AWS only, and never without a terminal."""
    if yes or session.record.target != "aws":
        return None

    def ask(plan: Plan, price_per_hour_usd: float) -> bool:
        if not sys.stdin.isatty():
            raise UsageError("this plan would create things on AWS", "give --yes to go on")
        question = f"Create this on AWS for about {price_per_hour_usd:.4f} USD an hour?"
        return click.confirm(question, err=True)

    return ask


@click.command()
@lab_argument
@common_options
def plan(lab: str, common: Common) -> None:
    """Show what `up` would do to LAB now, and why.

    \b
    Example: labctl plan numbers --set workers=2
    """
    from labctl.events import PlanMade
    from labctl.headless.plain import Plain

    def also_when_quiet(at: float, event: object) -> None:  # the plan is what was asked for
        if isinstance(event, PlanMade) and common.quiet and not common.json:
            Plain().plan(event)

    session = open_session(lab, common, sink=common.printer())
    session.bus.add(also_when_quiet)
    made, _ = session.plan()
    if not common.json:
        if session.limits is not None:
            click.echo(f"limits: {session.limits.in_one_line()}")
        _next(f"labctl up {lab}" if made.changes_something else f"labctl run {lab}")


@click.command()
@lab_argument
@yes_option
@common_options
@waits_for_keys
@takes_life
@takes_force
@takes_fetch
def up(lab: str, common: Common, yes: bool) -> None:
    """Bring LAB up, or up to date with its file.

    \b
    Examples: labctl up numbers --set workers=2
              labctl up numbers --ttl 90m
    """
    printer = common.printer()
    session = open_session(lab, common, sink=printer)
    ask_to_shorten(session, common.ttl_s, yes=yes)
    done = session.up(confirm=confirm_on_aws(session, yes=yes))
    session.close()
    if not common.json:
        seconds = sum(done.phases_s.values())
        name = session.record.name
        click.echo(f"{name} is up: {done.changed} changed in {seconds:.1f} s")
        _next(f"labctl run {name}", f"labctl down {name}")


@click.command()
@lab_argument
@click.option("--down", is_flag=True, help="Take the lab down at the end.")
@yes_option
@common_options
@waits_for_keys
@takes_life
@takes_force
@takes_fetch
def run(lab: str, common: Common, down: bool, yes: bool) -> None:
    """Bring LAB up, send its jobs, collect the answers and run its checks.

    \b
    Examples: labctl run numbers
              labctl run numbers --set jobs=200 --down --json
    """
    printer = common.printer()
    session = open_session(lab, common, sink=printer)
    try:
        ask_to_shorten(session, common.ttl_s, yes=yes)
        done = session.run(confirm=confirm_on_aws(session, yes=yes))
        proof = session.down() if down else None
    finally:
        session.close()
        printer.close()
    if not common.json and not down:
        _next(f"labctl status {session.record.name}", f"labctl down {session.record.name}")
    if proof is not None and not proof.ok:
        raise LeftoversError(f"{len(proof.left)} left: {', '.join(proof.left)}", "labctl sweep")
    if not done.ok:
        named = f" --name {common.name}" if common.name else ""
        raise ChecksFailed("jobs or checks failed", f"labctl jobs {lab}{named} --failed")


@click.command()
@lab_argument
@click.argument("role")
@click.argument("count", type=int, metavar="N")
@yes_option
@common_options
@waits_for_keys
@takes_force
def scale(lab: str, role: str, count: int, common: Common, yes: bool) -> None:
    """Give ROLE of LAB so many machines, also while its jobs run.

    New machines join; those that leave first finish or return the jobs they hold.

    \b
    Example: labctl scale numbers worker 3
    """
    session = open_session(lab, common, sink=common.printer())
    done = session.scale(role, count, confirm=confirm_on_aws(session, yes=yes))
    session.close()
    if not common.json:
        click.echo(f"{role}: {done.before} -> {done.machines} machines in {done.seconds:.1f} s")
        _next(f"labctl status {lab}", f"labctl run {lab}")


@click.command()
@lab_argument
@click.argument("life_s", type=Life(), metavar="DURATION")
@yes_option
@common_options
@waits_for_keys
def extend(lab: str, life_s: float, common: Common, yes: bool) -> None:
    """Have LAB end so long from now, whatever its end was.

    Its machines end themselves then, also when labctl and its credentials are long gone.

    \b
    Example: labctl extend numbers 2h
    """
    session = open_session(lab, common, sink=common.printer())
    ask_to_shorten(session, life_s, yes=yes)
    session.extend(life_s)
    session.close()
    if not common.json:
        _next(f"labctl status {session.record.name}", f"labctl down {session.record.name}")


@click.command()
@lab_argument
@common_options
@waits_for_keys
def check(lab: str, common: Common) -> None:
    """Run the checks of LAB on what stands now.

    \b
    Example: labctl check numbers
    """
    printer = common.printer()
    session = open_session(lab, common, sink=printer)
    if not session.check():
        raise ChecksFailed("not every check holds", f"labctl show {lab} says what to do")
    if not common.json:
        click.echo("every check holds")
        _next(f"labctl jobs {session.record.name}", f"labctl down {session.record.name}")


@click.command()
@click.argument("lab", required=False, shell_complete=complete_lab)
@click.option("--all", "everything", is_flag=True, help="Take every session down.")
@yes_option
@common_options
@waits_for_keys
def down(lab: str | None, common: Common, everything: bool, yes: bool) -> None:
    """Delete everything of LAB, and prove that nothing is left.

    \b
    Examples: labctl down numbers
              labctl down --all
    """
    if bool(lab) == everything:
        raise UsageError("name a lab, or give --all", "labctl status lists what is up")
    left: list[str] = []
    sessions = _to_take_down(lab, common)
    if not sessions and not common.json:
        click.echo("no lab is up")
    for session in sessions:
        if not yes and sys.stdin.isatty():
            name = f"{session.record.name} on {session.record.target}"
            click.confirm(f"Delete everything of {name}?", abort=True, err=True)
        left += session.down().left
    if left:
        raise LeftoversError(
            f"{len(left)} left: {', '.join(left)}", "run the same command again, or labctl sweep"
        )
    if not common.json:
        _next("labctl list")


def _to_take_down(lab: str | None, common: Common) -> list[Session]:
    from labctl.ledger.sessions import known_sessions
    from labctl.paths import state_folder

    printer = common.printer()
    if lab:
        return [open_session(lab, common, sink=printer)]
    records = known_sessions(state_folder())
    return [open_known(record, common, sink=printer) for record in records]


@click.command()
@click.argument("lab", required=False, shell_complete=complete_lab)
@common_options
def status(lab: str | None, common: Common) -> None:
    """Show what is up: every session, or the resources and machines of LAB.

    \b
    Examples: labctl status
              labctl status numbers --json
    """
    from labctl.headless import status as report

    printer = common.printer()
    if lab is None:
        report.print_sessions(printer)
    else:
        report.print_session(printer, open_session(lab, common))


def _next(*commands: str) -> None:
    """Say which commands make sense now."""
    click.echo("next: " + "   or: ".join(commands))


COMMANDS: list[Any] = [plan, up, run, scale, extend, check, status, down]
