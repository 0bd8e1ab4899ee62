"""The commands about jobs: what became of them, sending more, and the queues they pass through."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import chain
from typing import Any

import click

from labctl.cli.options import AT_LEAST_ONE, Common, common_options, lab_argument, open_session
from labctl.errors import ChecksFailed, UsageError


@click.command()
@lab_argument
@click.option("--failed", is_flag=True, help="Only those that failed.")
@click.option("--dead", is_flag=True, help="Only those in the dead-letter queue.")
@click.option(
    "-n", "--limit", type=AT_LEAST_ONE, default=100, show_default=True, help="At most so many."
)
@common_options
def jobs(lab: str, failed: bool, dead: bool, limit: int, common: Common) -> None:
    """Show the jobs of LAB and their recorded results.

    \b
    Example: labctl jobs numbers --failed
    """
    from labctl.engine.jobs import dead_letters
    from labctl.headless.jobs import print_dead_letters, print_jobs
    from labctl.ledger.results import ResultsStore

    session = open_session(lab, common)
    printer = common.printer()
    if dead and session.is_known:
        with session.standing() as stage:
            dead_letters(stage)  # notes in the store what lies in the queue now
    with ResultsStore(session.folder.results_file) as store:
        if dead:
            print_dead_letters(printer, store.dead_letters(limit=limit))
        else:
            found = store.find(state="failed" if failed else None, limit=limit)
            print_jobs(printer, found, store.counts())
    if not common.json:
        known = f"labctl {'redrive' if dead else 'status'} {session.record.name}"
        click.echo(f"next: {known if session.is_known else f'labctl run {lab}'}")


@click.command()
@lab_argument
@click.argument("bodies", nargs=-1, metavar="[BODY...]")
@click.option("--preset", is_flag=True, help="Send the lab's pre-made job.")
@click.option("--random", "length", type=int, metavar="N", help="Send a random job of N values.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the answers.")
@click.option(
    "--timeout", type=AT_LEAST_ONE, default=60, show_default=True, help="Wait so many seconds."
)
@common_options
def send(
    lab: str,
    bodies: Sequence[str],
    preset: bool,
    length: int | None,
    no_wait: bool,
    timeout: int,
    common: Common,
) -> None:
    """Send jobs to LAB and show each answer with its round trip.

    BODY is a job as typed; `-` reads one a line from standard input.

    \b
    Examples: labctl send numbers 1,2,3
              labctl send numbers --random 20
              seq 5 | labctl send numbers -
    """
    from labctl.engine.jobs import made_requests, send_requests
    from labctl.headless.jobs import print_answers
    from labctl.workloads.base import Request

    if not (bodies or preset or length is not None):
        raise UsageError("nothing to send", "type a body, or give -, --preset or --random N")
    session = open_session(lab, common)
    with session.standing() as stage:
        typed = [body for body in bodies if body != "-"]
        piped = (line.rstrip("\r\n") for line in sys.stdin) if "-" in bodies else iter(())
        made = made_requests(stage, typed, preset=preset, length=length)
        wanted = chain(made, map(Request, piped))
        answers = send_requests(stage, wanted, wait=not no_wait, timeout_s=timeout)
        printer = common.printer()
        with printer.busy("waiting for answers"):
            failed, unanswered = print_answers(printer, answers, waited=not no_wait)
    name = session.record.name
    if not common.json:
        click.echo(f"next: labctl jobs {name}")
    if unanswered:
        message = f"{unanswered} without an answer in {timeout} s"
        raise ChecksFailed(message, f"labctl logs {name}")
    if failed:
        raise ChecksFailed(f"{failed} failed", f"labctl jobs {name} --failed")


@click.command()
@lab_argument
@click.argument("queue")
@common_options
def purge(lab: str, queue: str, common: Common) -> None:
    """Delete every message of a queue of LAB.

    \b
    Example: labctl purge numbers requests
    """
    from labctl.engine.queues import purge_queue

    session = open_session(lab, common)
    with session.standing() as stage:
        dropped = purge_queue(stage, queue)
    if common.json:
        click.echo(json.dumps({"queue": queue, "dropped": dropped}))
    else:
        click.echo(f"{queue} is empty; about {dropped} messages were in it")
        click.echo(f"next: labctl status {session.record.name}")


@click.command()
@lab_argument
@common_options
def redrive(lab: str, common: Common) -> None:
    """Send the dead letters of LAB back to the queue they came from.

    \b
    Example: labctl redrive numbers
    """
    from labctl.engine.queues import redrive_dead_letters

    session = open_session(lab, common)
    with session.standing() as stage:
        moved = redrive_dead_letters(stage)
    if common.json:
        click.echo(json.dumps({"moved": moved}))
    else:
        click.echo(f"{moved} dead letters sent back")
        click.echo(f"next: labctl jobs {session.record.name} --dead")


COMMANDS: list[Any] = [jobs, send, purge, redrive]
