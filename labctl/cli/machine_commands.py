"""The commands that reach the machines of a lab."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from labctl.cli.options import AT_LEAST_ONE, Common, common_options, lab_argument, open_session
from labctl.errors import ChecksFailed, Interrupted

_COMMAND_S = 24 * 3600.0  # what a user runs may take its time; Ctrl-C ends it


@click.command(context_settings={"ignore_unknown_options": True})
@lab_argument
@click.argument("machine", metavar="ROLE[.N]")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@common_options
def ssh(lab: str, machine: str, command: Sequence[str], common: Common) -> None:
    """Open a shell on a machine of LAB, or run one command with its exit status.

    \b
    Examples: labctl ssh numbers worker
              labctl ssh numbers worker.0 -- uname -a
    """
    from labctl.engine.machines import chosen_machines, refreshed

    session = open_session(lab, common, gently=False)
    with session.standing() as stage:
        chosen = chosen_machines(refreshed(stage, machine), machine)[0]
        terminal = sys.stdin.isatty() and not command
        status = stage.transport.shell(chosen, _as_typed(command), terminal=terminal)
    session.close()
    sys.exit(status)


@click.command(name="exec", context_settings={"ignore_unknown_options": True})
@lab_argument
@click.argument("role", metavar="ROLE[.N]")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@common_options
def exec_(lab: str, role: str, command: Sequence[str], common: Common) -> None:
    """Run a command on all machines of a role of LAB, in parallel.

    \b
    Example: labctl exec numbers worker -- uptime
    """
    from labctl.engine.machines import chosen_machines, refreshed
    from labctl.headless.machines import print_completed
    from labctl.transport.parallel import each

    session = open_session(lab, common, gently=False)
    script = _as_typed(command) or ""
    with session.standing() as stage:
        machines = chosen_machines(refreshed(stage, role), role)
        run = partial(stage.transport.run, script=script, timeout_s=_COMMAND_S)
        with common.printer().busy(f"running on {role}"):
            ended = each(machines, run)
    session.close()
    failed = print_completed(ended, as_json=common.json)
    if failed:
        raise ChecksFailed(f"failed on {', '.join(failed)}")


def _as_typed(command: Sequence[str]) -> str | None:
    """Return the command as one shell line, as OpenSSH joins it."""
    return " ".join(command) or None


@click.command()
@lab_argument
@click.argument("role", required=False, metavar="[ROLE[.N]]")
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come.")
@click.option(
    "-n", "--lines", type=AT_LEAST_ONE, default=50, show_default=True, help="So many last lines."
)
@common_options
def logs(lab: str, role: str | None, follow: bool, lines: int, common: Common) -> None:
    """Show the logs of the agents of LAB.

    \b
    Examples: labctl logs numbers
              labctl logs numbers worker -f
    """
    from labctl.engine.logs import show_logs
    from labctl.headless.machines import log_printer
    from labctl.headless.plain import Plain

    warnings = None if common.json else Plain(quiet=True)
    session = open_session(lab, common, sink=warnings)
    with session.standing() as stage:
        show_logs(stage, role, follow=follow, lines=lines, on_line=log_printer(common.json))
        if stage.cancelled.is_set():
            raise Interrupted("stopped")
    session.close()


@click.command()
@lab_argument
@click.argument("machine", metavar="ROLE[.N]")
@click.argument("port", type=click.IntRange(1, 65535))
@click.option(
    "--here",
    type=click.IntRange(0, 65535),
    help="The port on this machine: otherwise the same one; 0 is any.",
)
@click.option("--open", "in_browser", is_flag=True, help="Show it in the browser.")
@common_options
def forward(
    lab: str, machine: str, port: int, here: int | None, in_browser: bool, common: Common
) -> None:
    """Reach a service on a machine of LAB at a port of this machine, until Ctrl-C.

    \b
    Examples: labctl forward numbers worker 8080
              labctl forward numbers worker.1 80 --here 8080 --open
    """
    import threading

    from labctl.engine.machines import chosen_machines, refreshed
    from labctl.transport.forwarding import listen_here

    session = open_session(lab, common, sink=common.printer())
    with session.standing() as stage, listen_here(port if here is None else here) as listener:
        chosen = chosen_machines(refreshed(stage, machine), machine)[0]
        place = f"http://127.0.0.1:{listener.getsockname()[1]}"
        click.echo(f"port {port} of {chosen.name} is at {place} until Ctrl-C")
        if in_browser:  # some are waited for until they end, and need the forwarding meanwhile
            threading.Thread(target=_show, args=(place,), daemon=True).start()
        stage.transport.forward(
            chosen,
            port,
            listener,
            cancelled=stage.cancelled,
            on_failure=lambda error: click.echo(f"{error.message}; {error.hint}", err=True),
        )
    session.close()


def _show(place: str) -> None:
    import webbrowser

    if not webbrowser.open(place):
        click.echo("no browser could be started: open the address yourself", err=True)


@click.command()
@lab_argument
@common_options
def ssh_config(lab: str, common: Common) -> None:
    """Print an SSH configuration, for plain ssh, scp, rsync and editors.

    \b
    Example: labctl ssh-config numbers > ~/.ssh/numbers.conf
             ssh -F ~/.ssh/numbers.conf worker.0
    """
    from labctl.engine.machines import ssh_config_text

    with open_session(lab, common).standing() as stage:
        click.echo(ssh_config_text(stage), nl=False)


@click.command()
@lab_argument
@common_options
def env(lab: str, common: Common) -> None:
    """Print exports: endpoint, keys, region and every output of LAB.

    \b
    Example: eval "$(labctl env numbers)"
    """
    import json
    import shlex

    from labctl.engine.outputs import environment
    from labctl.output import write_keys

    with open_session(lab, common).standing() as stage:
        variables = environment(stage)
    if common.json:
        write_keys(f"{json.dumps(variables)}\n")
        return
    if "AWS_CONFIG_FILE" in variables:  # keys in variables would win, and stay when they are over
        click.echo("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN")
    for name, value in variables.items():
        write_keys(f"export {name}={shlex.quote(value)}\n")


COMMANDS: list[Any] = [logs, ssh, exec_, forward, ssh_config, env]
