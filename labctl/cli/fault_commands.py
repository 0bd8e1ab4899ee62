"""The commands that do harm on purpose, so that one sees how a lab bears it."""

from __future__ import annotations

from functools import partial
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from labctl.cli.options import Common, Duration, common_options, lab_argument, open_session

if TYPE_CHECKING:
    from labctl.faults.base import Fault
    from labctl.spec.params import Scalar


class _Faults(click.Group):
    """Its own commands, and one for each fault that there is: those are looked up when asked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from labctl.faults.registry import faults

        return [*faults(), *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from labctl.faults.registry import faults

        own = super().get_command(ctx, cmd_name)
        known = faults().get(cmd_name)
        return own if own is not None or known is None else _command(known)


@click.group(cls=_Faults)
def fault() -> None:
    """Do a harm on purpose, and watch how the lab bears it.

    With --for it is undone after that time, also on Ctrl-C; without, it stays until it is
    cleared. No fault survives `labctl down`.

    \b
    Examples: labctl fault stop numbers worker.0 --for 30s
              labctl fault clear numbers
              labctl fault expire
    """


def complete_machine(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the roles and machines of the lab that is named, as far as this machine knows."""
    from labctl.engine.choices import Choices
    from labctl.engine.machines import machine_names
    from labctl.errors import LabctlError
    from labctl.ledger.journal import fold
    from labctl.ledger.lines import read_records
    from labctl.session import Session

    choices = Choices(name=context.params.get("name") or "")
    try:
        session = Session(str(context.params.get("lab")), choices)
        names = machine_names(session.lab, fold(read_records(session.folder.journal_file)))
    except LabctlError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _command(known: Fault) -> click.Command:
    from labctl.cli.action_commands import param_option

    example = f"Example: labctl fault {known.name} numbers worker.0 --for 30s"
    said = f"{cleandoc(known.say)}\n\n\b\n{example}"
    command: click.Command = click.command(known.name, help=said)(
        lab_argument(common_options(partial(_do_fault, known)))
    )
    machine = click.Argument(["machine"], metavar="ROLE[.N]", shell_complete=complete_machine)
    for_s = click.Option(
        ["--for", "for_s"],
        type=Duration(),
        metavar="DURATION",
        help="Undo it after so long (default: when it is cleared).",
    )
    options = [param_option(name, param) for name, param in known.options.items()]
    command.params[1:1] = [machine, for_s, *options]
    return command


def _do_fault(
    known: Fault, *, lab: str, machine: str, for_s: float | None, common: Common, **chosen: Scalar
) -> None:
    from labctl.engine.faults import Wanted, begin_faults, events_kept, hold_faults
    from labctl.headless.faults import print_before, wait_line

    printer = common.printer()
    session = open_session(lab, common, sink=printer)
    wanted = Wanted(known, chosen, for_s)
    with session.standing() as stage, events_kept(stage):
        with printer.busy(f"{known.name} on {machine}"):
            begun = begin_faults(stage, wanted, machine)
        print_before(printer, begun)
        if for_s is not None and begun.now:
            hold_faults(stage, begun.now, on_wait=wait_line(printer, begun.now))
    session.close()
    stays = begun.before or (for_s is None and not wanted.passes)
    if not common.json:
        clear = f"labctl fault clear {lab}   or: " if stays else ""
        click.echo(f"next: {clear}labctl status {lab}")


@fault.command(name="list")
@lab_argument
@common_options
def list_(lab: str, common: Common) -> None:
    """Show the faults that are on in LAB.

    \b
    Example: labctl fault list numbers
    """
    from labctl.headless.faults import print_faults
    from labctl.ledger.faults import faults_on

    printer = common.printer()
    print_faults(printer, list(faults_on(open_session(lab, common).folder).values()))


@fault.command()
@lab_argument
@common_options
def clear(lab: str, common: Common) -> None:
    """Undo every fault that is on in LAB, whoever did it.

    \b
    Example: labctl fault clear numbers
    """
    from labctl.engine.faults import end_faults, events_kept

    printer = common.printer()
    session = open_session(lab, common, sink=printer)
    with session.standing() as stage, events_kept(stage):
        over = end_faults(stage)
    session.close()
    if not common.json:
        click.echo(f"{len(over)} cleared\nnext: labctl status {lab}" if over else "no fault is on")


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
