"""`labctl LAB ACTION`: one command for each action that a lab file declares for its client."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.options import Common, common_options, open_session, waits_for_keys
from labctl.errors import ChecksFailed, UsageError

if TYPE_CHECKING:
    from labctl.actions.base import Form
    from labctl.spec.fields import ActionModel
    from labctl.spec.lab import Lab
    from labctl.spec.params import Param


def lab_group(name: str) -> click.Group | None:
    """Return the commands of a lab's actions; None when no lab or session bears the name."""
    from labctl.engine.choices import Choices
    from labctl.engine.opening import find_session
    from labctl.paths import state_folder
    from labctl.spec.catalogue import find_lab, load_catalogue

    catalogue = load_catalogue(None)
    if name in catalogue.labs or "/" in name:
        return _LabActions(name, find_lab(name, catalogue))
    known = find_session(state_folder(), name, Choices())
    return _LabActions(name, Path(known.lab_file)) if known else None


class _LabActions(click.Group):
    """The actions of one lab; the lab file is read when the first of them is asked for."""

    def __init__(self, lab: str, file: Path) -> None:
        super().__init__(name=lab, help=f"Do what a client of the lab {lab} does.")
        self._argument, self._file = lab, file

    @cached_property
    def _lab(self) -> Lab:
        from labctl.engine.vocabulary import vocabulary
        from labctl.spec.load import load_lab

        return load_lab(self._file, vocabulary())

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lab.actions)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if not self._lab.actions:
            raise UsageError(f"lab '{self._lab.name}' declares no actions", "labctl --help")
        declared = self._lab.actions.get(cmd_name)
        return _command(self._argument, cmd_name, declared) if declared else None


def _command(lab: str, name: str, declared: ActionModel) -> click.Command:
    from labctl.engine.actions import form_of

    form = form_of(declared)
    callback = common_options(waits_for_keys(partial(run_declared, lab, name)))
    command = click.command(name, help=f"{declared.say}\n\n\b\n{_example(lab, name, form)}")(
        callback
    )
    if form.words is not None:
        metavar = f"{form.words.name.upper()}..."
        kind = click.Path() if form.words.files else click.STRING
        argument = click.Argument(["words"], nargs=-1, required=True, metavar=metavar, type=kind)
        command.params.insert(0, argument)
    options = [param_option(option, param) for option, param in form.options.items()]
    command.params[1:1] = options
    return command


def _example(lab: str, name: str, form: Form) -> str:
    words = f" {form.words.name.upper()}" if form.words else ""
    return f"Example: labctl {lab} {name}{words}"


def param_option(name: str, param: Param) -> click.Option:
    """Return the option of a command that takes a parameter's values, within its bounds."""
    flag = f"--{name.replace('_', '-')}"
    if param.type == "boolean":
        return click.Option([flag, name], is_flag=True, help=param.help)
    kind = click.Choice([str(each) for each in param.choices or ()]) if param.choices else None
    return click.Option(
        [flag, name],
        default=str(param.default),
        show_default=True,
        type=kind,
        help=param.help,
        callback=_reader(param),
    )


def _reader(param: Param) -> Callable[[click.Context, click.Parameter, str], Any]:
    def read(context: click.Context, parameter: click.Parameter, text: str) -> Any:  # noqa: ANN401 - a scalar
        from labctl.spec.params import read_setting

        try:
            return read_setting(param, text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return read


def run_declared(
    lab: str,
    name: str,
    *,
    common: Common,
    words: tuple[str, ...] = (),
    **options: Any,  # noqa: ANN401 - scalars
) -> None:
    """Run a declared action on the lab's session and show what it did."""
    from labctl.actions.base import Chosen
    from labctl.engine.actions import run_action
    from labctl.headless.actions import print_facts

    printer = common.printer()
    with open_session(lab, common).standing() as stage:
        count, failed = print_facts(printer, run_action(stage, name, Chosen(words, options)))
    if not common.json:
        failures = f", {failed} of them failed" if failed else ""
        click.echo(f"{name}: {count} in all{failures}\nnext: labctl {lab} --help")
    if failed:
        raise ChecksFailed(f"{failed} of {count} failed", f"labctl logs {lab}")
