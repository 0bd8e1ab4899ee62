"""The commands about labs as files: which there are, what they say, whether they are right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from labctl.cli.action_commands import lab_group
from labctl.cli.options import Common, common_options, complete_lab, lab_argument
from labctl.headless.tables import table_lines

labs_option = click.option(
    "--labs", type=click.Path(dir_okay=False, path_type=Path), help="Use this catalogue file."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _rows(labs: Path | None) -> list[dict[str, str]]:
    """Return the labs of the catalogue with their sessions; held to a small import budget."""
    from labctl.ledger.sessions import known_sessions
    from labctl.paths import state_folder
    from labctl.spec.catalogue import load_catalogue

    sessions = known_sessions(state_folder())
    return [
        {
            "lab": entry.name,
            "course": entry.course,
            "title": entry.title,
            "up": ", ".join(each.name for each in sessions if each.lab == entry.name),
        }
        for entry in load_catalogue(labs).labs.values()
    ]


def _print_rows(rows: list[dict[str, str]]) -> None:
    table = [[row["lab"], row["course"], row["title"], row["up"] or "-"] for row in rows]
    for line in table_lines(["lab", "course", "title", "up as"], table):
        click.echo(line)


@click.command(name="list")
@labs_option
@json_option
def list_(labs: Path | None, as_json: bool) -> None:
    """List the labs of the catalogue and the sessions that are up.

    \b
    Example: labctl list
    """
    rows = _rows(labs)
    if as_json:
        click.echo(json.dumps(rows))
        return
    _print_rows(rows)
    click.echo("next: labctl show LAB   or: labctl run LAB")


def print_welcome() -> None:
    """Print the catalogue and how to begin."""
    _print_rows(_rows(None))
    click.echo(
        "\nBegin with:  labctl run numbers     bring a lab up, run it and check it\n"
        "             labctl status          see what is up\n"
        "             labctl down numbers    take it down, with proof\n"
        "             labctl --help          every command"
    )


@click.command()
@lab_argument
@click.argument("names", nargs=-1, metavar="[NAME...]")
@labs_option
@json_option
def show(lab: str, names: Sequence[str], labs: Path | None, as_json: bool) -> None:
    """Show what LAB is: its parameters, resources, price and its instructions.

    With names, show these by the lab's own action `show`.

    \b
    Examples: labctl show numbers
              labctl show images sunset-0000.jpg
    """
    if names and (group := lab_group(lab)):
        options = ["--json"] if as_json else []
        group.main(["show", *options, "--", *names], f"labctl {lab}", standalone_mode=False)
        return
    from labctl.headless.lab import lab_lines, lab_record

    loaded, limits = _loaded(lab, labs), _limits(lab, labs)
    if as_json:
        click.echo(json.dumps(lab_record(loaded, limits)))
        return
    for line in lab_lines(loaded, limits):
        click.echo(line)
    click.echo(f"next: labctl plan {lab}   or: labctl run {lab}")


def _loaded(lab: str, labs: Path | None) -> Any:  # noqa: ANN401 - the Lab model is imported late
    from labctl.engine.vocabulary import vocabulary
    from labctl.spec.catalogue import find_lab, load_catalogue
    from labctl.spec.load import load_lab

    return load_lab(find_lab(lab, load_catalogue(labs)), vocabulary())


def _limits(lab: str, labs: Path | None) -> Any:  # noqa: ANN401 - its model is imported late
    from labctl.spec.catalogue import find_lab, load_catalogue
    from labctl.spec.limits import load_limits

    catalogue = load_catalogue(labs)
    file = catalogue.limits_file(find_lab(lab, catalogue))
    return load_limits(file) if file else None


@click.command()
@click.argument("name")
@click.option(
    "--from",
    "source",
    default="numbers",
    show_default=True,
    metavar="LAB",
    shell_complete=complete_lab,
)
@labs_option
def new(name: str, source: str, labs: Path | None) -> None:
    """Make a folder NAME with a lab of your own: its file, agent, instructions and test.

    \b
    Example: labctl new mylab --from numbers
    """
    from labctl.cli.new_lab import make_lab
    from labctl.spec.catalogue import find_lab, load_catalogue

    for file in make_lab(name, find_lab(source, load_catalogue(labs))):
        click.echo(f"wrote {file}")
    click.echo(f"next: labctl run ./{name}")


@click.command()
@click.argument("lab", metavar="FILE|LAB", shell_complete=complete_lab)
@labs_option
@json_option
def validate(lab: str, labs: Path | None, as_json: bool) -> None:
    """Check a lab file; every mistake is shown with its place.

    \b
    Example: labctl validate ./mine.yaml
    """
    from labctl.errors import SpecError

    try:
        loaded = _loaded(lab, labs)
    except SpecError as error:
        if as_json:
            click.echo(json.dumps({"ok": False, "mistakes": [vars(m) for m in error.mistakes]}))
        raise
    if as_json:
        click.echo(json.dumps({"ok": True, "mistakes": []}))
    else:
        click.echo(f"{loaded.path}: no mistakes\nnext: labctl plan {lab}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of lab files, for editors.

    \b
    Example: labctl schema > lab.schema.json
    """
    from labctl.engine.vocabulary import vocabulary
    from labctl.spec.schema import lab_schema

    click.echo(json.dumps(lab_schema(vocabulary()), indent=2))


@click.command()
@click.option("--policy", is_flag=True, help="Print the least permissions, as an IAM policy.")
@common_options
def doctor(common: Common, policy: bool) -> None:
    """Say what this machine and target can and cannot do, each with its remedy.

    \b
    Examples: labctl doctor --target aws
              labctl doctor --policy > labctl-policy.json
    """
    if policy:
        from labctl.engine.permissions import least_permissions

        click.echo(json.dumps(least_permissions(), indent=2))
        return
    from labctl.engine.opening import abilities

    found = abilities(common.choices())
    if common.json:
        click.echo(json.dumps([vars(ability) for ability in found]))
        return
    for ability in found:
        click.echo(f"{'yes' if ability.able else 'NO ':3} {ability.name}: {ability.detail}")
        if not ability.able and ability.remedy:
            click.echo(f"    remedy: {ability.remedy}")
    click.echo("next: labctl run numbers")


COMMANDS: list[Any] = [list_, show, new, doctor, validate, schema]
