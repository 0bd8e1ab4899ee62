"""The options that commands share, and how a command gets its session and its printer."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from labctl.errors import UsageError

if TYPE_CHECKING:  # a face and the core are imported only when a command runs
    from labctl.engine.bus import Sink
    from labctl.engine.choices import Choices
    from labctl.headless.json_lines import JsonLines
    from labctl.headless.plain import Plain
    from labctl.ledger.sessions import SessionRecord
    from labctl.session import Session

Command = Callable[..., Any]


class Duration(click.ParamType[float]):
    """A time span such as `90s`, `30m` or `3h`; the command gets its seconds."""

    name = "duration"

    def read(self, value: object) -> float:
        """Return the seconds; `ValueError` when it is no duration."""
        from labctl.spec.quantities import duration_s

        return duration_s(value)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds, or tell what a duration looks like."""
        if isinstance(value, float):  # what was converted before
            return value
        try:
            return self.read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


AT_LEAST_ONE = click.IntRange(1, 10**6)


@dataclass(frozen=True)
class Common:
    """The values of the options that every command on a lab takes."""

    target: str
    settings: dict[str, str]
    name: str
    plain_names: bool
    labs: Path | None
    quiet: bool
    json: bool
    creds_timeout_s: float = 0.0
    ttl_s: float | None = None
    force: bool = False
    fetch: bool = False

    def choices(self) -> Choices:
        """Return the user's choices as the core takes them."""
        from labctl.engine.choices import Choices

        return Choices(
            target=self.target,
            name=self.name,
            settings=self.settings,
            plain_names=self.plain_names,
            catalogue_file=self.labs,
            creds_timeout_s=self.creds_timeout_s,
            ttl_s=self.ttl_s,
            force=self.force,
            fetch=self.fetch,
        )

    def printer(self) -> Plain | JsonLines:
        """Return the printer for this command: JSON Lines or plain text."""
        if self.json:
            from labctl.headless.json_lines import JsonLines

            return JsonLines(sys.stdout)
        from labctl.headless.plain import Plain

        printer = Plain(quiet=self.quiet)
        click.get_current_context().call_on_close(printer.close)
        return printer


def complete_lab(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the labs and sessions whose names begin like this; a path is left to the shell."""
    from labctl.spec.catalogue import load_catalogue

    if incomplete.startswith((".", "/", "~")):
        return [CompletionItem(incomplete, type="file")]
    names = {*load_catalogue(context.params.get("labs")).labs, *_session_names()}
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def complete_session(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the sessions whose names begin like this."""
    return [CompletionItem(name) for name in _session_names() if name.startswith(incomplete)]


def _session_names() -> list[str]:
    from labctl.paths import state_folder

    return sorted(file.parent.name for file in state_folder().glob("sessions/*/session.json"))


def lab_argument(command: Command) -> Command:
    """Take LAB: a name of the catalogue, of a session, or a path."""
    return click.argument("lab", shell_complete=complete_lab)(command)


def _settings(
    context: click.Context, parameter: click.Parameter, given: Sequence[str]
) -> dict[str, str]:
    settings: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"'{item}' is not of the form name=value")
        settings[name] = value
    return settings


_OPTIONS = [
    click.option("--target", default="", metavar="local|aws|hosts|URL", help="Where to run."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        callback=_settings,
        metavar="NAME=VALUE",
        help="Set a parameter of the lab.",
    ),
    click.option(
        "--name",
        default="",
        metavar="SESSION",
        help="Name the session (default: LAB).",
        shell_complete=complete_session,
    ),
    click.option(
        "--plain-names", is_flag=True, help="Name resources exactly as the lab file does."
    ),
    click.option(
        "--labs",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Use this catalogue file.",
    ),
    click.option("--quiet", is_flag=True, help="Print results and warnings only."),
    click.option("--json", "json", is_flag=True, help="Print one JSON object a line."),
    click.option("--debug", is_flag=True, help="Show tracebacks.", expose_value=False),
]


def common_options(command: Command) -> Command:
    """Take the options of every command on a lab; they arrive as one `common` argument."""

    @functools.wraps(command)
    def with_common(**values: Any) -> Any:  # noqa: ANN401 - click passes what it parsed
        names = Common.__dataclass_fields__.keys() & values.keys()
        common = Common(**{name: values.pop(name) for name in names})
        return command(common=common, **values)

    for option in reversed(_OPTIONS):
        with_common = option(with_common)
    return with_common


creds_timeout_option = click.option(
    "--creds-timeout",
    type=Duration(),
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="Wait so long for new credentials when they end.",
)


def waits_for_keys(command: Command) -> Command:
    """Take --creds-timeout into the `common` of a command that is paused by dead credentials."""

    @functools.wraps(command)
    def with_timeout(*, common: Common, creds_timeout: float, **values: Any) -> Any:  # noqa: ANN401 - click's
        return command(common=replace(common, creds_timeout_s=creds_timeout), **values)

    return creds_timeout_option(with_timeout)


def agree(question: str, *, yes: bool) -> None:
    """Ask before something is deleted or paid for; `--yes` answers, and must without a terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"not asked without a terminal: {question}", "give --yes to go on")
    click.confirm(question, abort=True, err=True)


def open_session(lab: str, common: Common, *, sink: Any = None, gently: bool = True) -> Session:  # noqa: ANN401 - a sink
    """Return the session facade of a lab for this command, stopped by Ctrl-C: gently or at once."""
    from labctl.cli.stopping import cancelled_by_signals, stopped_by_signals
    from labctl.session import Session

    sinks = [sink] if sink else []
    cancelled = cancelled_by_signals() if gently else stopped_by_signals()
    return Session(lab, common.choices(), sinks=sinks, cancelled=cancelled)


def open_known(record: SessionRecord, common: Common, *, sink: Sink) -> Session:
    """Return the session facade of a session that this machine knows, stopped gently by Ctrl-C."""
    from labctl.cli.stopping import cancelled_by_signals
    from labctl.session import Session

    choices = common.choices().meaning(record)
    return Session(record.lab, choices, sinks=[sink], cancelled=cancelled_by_signals())
