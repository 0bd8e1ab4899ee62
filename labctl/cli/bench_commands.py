"""The command that measures a lab, compares what it measured, and shows it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.lab_commands import confirm_on_aws, yes_option
from labctl.cli.options import (
    Common,
    common_options,
    lab_argument,
    open_session,
    waits_for_keys,
)
from labctl.errors import ChecksFailed, UsageError

if TYPE_CHECKING:
    from labctl.figures.records import Result
    from labctl.session import Session

_MOST_ROUNDS = 50


def _names(context: click.Context, parameter: click.Parameter, given: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(filter(None, map(str.strip, given.split(",")))))
    if given and len(names) < 2:
        raise click.BadParameter("name at least two subjects: A,B")
    return names


@click.command()
@lab_argument
@click.argument("benchmark", required=False)
@click.option(
    "--repeats",
    type=click.IntRange(1, _MOST_ROUNDS),
    default=5,
    show_default=True,
    help="Measure each subject so many times, in turn.",
)
@click.option(
    "--compare", default="", callback=_names, metavar="A,B", help="Measure only these subjects."
)
@click.option("--save-baseline", metavar="NAME", help="Keep the results under a name.")
@click.option("--against", metavar="NAME", help="Compare with a baseline; 1 if it was faster.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write JSON, CSV, Markdown, SVG and PNG there.",
)
@click.option("--show", is_flag=True, help="Show the latest results; measure nothing.")
@yes_option
@common_options
@waits_for_keys
def bench(
    lab: str,
    benchmark: str | None,
    repeats: int,
    compare: tuple[str, ...],
    save_baseline: str | None,
    against: str | None,
    out: Path | None,
    show: bool,
    yes: bool,
    common: Common,
) -> None:
    """Bring LAB up, and measure its benchmarks, or the one named BENCHMARK.

    Rounds of the subjects take turns. A difference is called one only where the spread of the
    rounds allows it; what a run says it measured, the servers' own counters must show.

    \b
    Examples: labctl bench db-scaling
              labctl bench db-scaling read-write --compare standalone,cluster --repeats 8
              labctl bench db-scaling --save-baseline before --out report
    """
    from labctl.figures.baselines import checked_name, load_baseline
    from labctl.figures.baselines import save_baseline as save
    from labctl.headless.bench import print_results, write_all
    from labctl.paths import state_folder

    printer = common.printer()
    session = open_session(lab, common, sink=printer)
    state, of = state_folder(), session.record.lab
    before = load_baseline(state, of, against) if against else None
    if save_baseline:
        checked_name(save_baseline)
    results = (
        _kept(session, benchmark)
        if show
        else _measured(session, benchmark, repeats, compare, yes=yes)
    )
    slower = print_results(printer, results, before=before)
    if out is not None:
        write_all(printer, out, results)
    if save_baseline:
        save(state, of, save_baseline, results)
    if not common.json:
        known = session.record.name
        click.echo(f"next: labctl bench {known} --show --out FOLDER   or: labctl down {known}")
    if slower:
        raise ChecksFailed(f"really slower than '{against}': {', '.join(slower)}")


def _measured(
    session: Session, name: str | None, repeats: int, compare: tuple[str, ...], *, yes: bool
) -> list[Result]:
    from labctl.engine.bench import BenchWanted

    wanted = BenchWanted([name] if name else (), repeats, compare)
    try:
        return session.bench(wanted, confirm=confirm_on_aws(session, yes=yes))
    finally:
        session.close()


def _kept(session: Session, name: str | None) -> list[Result]:
    """Return the latest results of a session, also of one that is down."""
    from labctl.engine.bench import kept_results

    found = kept_results(session.folder)
    chosen = [each for each in found if name in (None, each.benchmark)]
    if not chosen:
        what = f"benchmark '{name}'" if name else "benchmark"
        raise UsageError(f"no {what} was measured yet", f"labctl bench {session.record.name}")
    return chosen


COMMANDS: list[Any] = [bench]
