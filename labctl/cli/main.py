"""The `labctl` command: its groups of commands, and how an error is told."""

from __future__ import annotations

import os
import sys

import click

from labctl.cli import (
    bench_commands,
    catalogue_commands,
    cloud_commands,
    creds_commands,
    fault_commands,
    job_commands,
    lab_commands,
    machine_commands,
    screen_commands,
)
from labctl.cli.action_commands import lab_group
from labctl.errors import Interrupted, LabctlError, LimitError, SpecError, UsageError
from labctl.key_places import learn_users_keys
from labctl.output import mask_output
from labctl.text import harmless

EXIT_STATUS = """\b
Exit status:
  0    done
  1    jobs or checks failed
  2    usage, or an invalid lab
  3    target, credentials or limits
  4    something is left after a teardown
  130  interrupted
"""
_STATE_HINT = "labctl keeps its files in the folder that LABCTL_STATE names; --debug shows more"


class _Commands(click.Group):
    """Shows commands in the order of their use; a lab's name stands for the lab's own actions."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = super().get_command(ctx, cmd_name)
        return known or lab_group(cmd_name)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    epilog=EXIT_STATUS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="labctl")
@click.pass_context
def cli(context: click.Context) -> None:
    """Bring a cloud lab up from one YAML file, run it, check it, take it down.

    LAB is a name from `labctl list`, or the path of a lab file (./mine.yaml). Labs run on this
    machine unless --target says otherwise. What a lab's client does is `labctl LAB ACTION`.

    \b
    Begin with:
      labctl run numbers
      labctl status numbers
      labctl down numbers
    """
    if context.invoked_subcommand is None:
        if sys.stdin.isatty() and sys.stdout.isatty():
            screen_commands.open_screen()
        else:
            catalogue_commands.print_welcome()


for _module in (
    catalogue_commands,
    lab_commands,
    job_commands,
    bench_commands,
    machine_commands,
    cloud_commands,
    creds_commands,
    fault_commands,
    screen_commands,
):
    for _command in _module.COMMANDS:
        cli.add_command(_command)


def main() -> None:
    """Run the command line and end the process with a status that means something."""
    mask_output()  # tracebacks of --debug and of threads, and what libraries warn of, too
    learn_users_keys()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")  # looking for some takes 50 ms
    if "LABCTL" in os.environ.get("AWS_CONFIG_FILE", "").upper():
        from labctl.engine.key_process import leave_own_process

        leave_own_process()
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        status = error.exit_code
    except click.ClickException as error:
        tell(_in_our_words(error))
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        tell(Interrupted("stopped"))
        sys.stdout.flush()
        os._exit(Interrupted.exit_status)  # threads that wait for machines are not waited for
    except LabctlError as error:
        if "--debug" in sys.argv:
            raise
        tell(error)
        status = error.exit_status
    except BrokenPipeError:
        # The reader of our output has gone (`labctl list | head`): not an error of ours, and
        # nothing more can be said on that pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except OSError as error:
        if "--debug" in sys.argv:
            raise
        tell(LabctlError(f"{error.filename or 'a file'}: {error.strerror}", _STATE_HINT))
        status = LabctlError.exit_status
    except Exception as error:  # the outermost edge: a person is never shown a traceback
        if "--debug" in sys.argv:
            raise
        tell(LabctlError(f"unexpected {type(error).__name__}: {error}", "--debug shows where"))
        status = LabctlError.exit_status
    sys.exit(status if isinstance(status, int) else 0)


def _in_our_words(error: click.ClickException) -> UsageError:
    """Return a mistake on the command line as every other mistake is told: a line and a hint."""
    message = error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"{context.command_path} --help tells what it takes" if context else ""
    if isinstance(error, click.exceptions.NoSuchOption):
        hint += "; what begins with - and is no option goes behind --"
    return UsageError(message[:1].lower() + message[1:], hint)


def tell(error: LabctlError) -> None:
    """Tell an error on standard error as every command does: its line, its hint."""
    lines = [f"labctl: {error.message}"]
    if isinstance(error, SpecError):
        lines = [str(mistake) for mistake in error.mistakes]
    elif isinstance(error, LimitError) and len(error.reasons) > 1:
        lines = [f"labctl: {error.summary}:", *(f"  - {reason}" for reason in error.reasons)]
    if error.hint:
        lines.append(f"  {error.hint}")
    for line in lines:
        click.echo(harmless(line), err=True)
