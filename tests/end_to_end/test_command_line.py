"""Every command helps, and every mistake of a user is one line, a hint and the right status."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import click
import pytest

from labctl.cli.main import cli
from tests.end_to_end.conftest import Labctl

PROJECT = Path(__file__).parents[2]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command below a group, as a user types it."""
    found: list[tuple[str, ...]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
        else:
            found.append((*path, name))
    return found


ALL = commands(cli)


@pytest.mark.parametrize("command", ALL, ids="-".join)
def test_every_command_helps_with_an_example(command: tuple[str, ...]) -> None:
    group: click.Group | click.Command = cli
    for name in command:
        assert isinstance(group, click.Group)
        below = group.get_command(click.Context(group), name)
        assert below is not None
        group = below
    text = group.get_help(click.Context(group))
    assert "Example" in text
    assert f"labctl {' '.join(command)}" in text


def test_the_commands_are_those_that_were_promised() -> None:
    promised = """list show new doctor validate schema plan up run scale extend status jobs send
        purge redrive bench logs ssh exec forward ssh-config env check down sweep open replay
        serve"""
    grouped = [("cloud", verb) for verb in ("start", "session", "stop", "status", "reset")]
    grouped += [("creds", verb) for verb in ("status", "paste", "refresh", "watch", "process")]
    faults = ("kill", "stop", "pause", "partition", "delay", "list", "clear", "expire")
    grouped += [("fault", verb) for verb in faults]
    assert set(ALL) == {(name,) for name in promised.split()} | set(grouped)


def test_help_tells_the_exit_statuses(labctl: Labctl) -> None:
    text = labctl("--help").stdout
    for line in ("0    done", "1    jobs", "2    usage", "3    target", "4    something", "130"):
        assert line in text


def test_without_arguments_the_catalogue_and_how_to_begin(labctl: Labctl) -> None:
    text = labctl().stdout
    assert "numbers" in text
    assert "labctl run numbers" in text


def test_help_and_list_import_nothing_heavy(labctl: Labctl) -> None:
    for arguments in ("--help", "list"):
        script = (
            "import sys; sys.argv = ['labctl', sys.argv[1]]\n"
            "from labctl.cli.main import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "heavy = {'boto3', 'botocore', 'paramiko', 'textual', 'pydantic', 'asyncssh', 'rich'}\n"
            "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        )
        command = [str(labctl.python), "-c", script, arguments]
        done = subprocess.run(
            command, env=labctl.environment, cwd=PROJECT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("run", "nubmers"), 2, "numbers"),
        (("run", "./absent.yaml"), 2, "absent.yaml"),
        (("run", "numbers", "--set", "jbos=3"), 2, "jobs"),
        (("run", "numbers", "--set", "jobs=none"), 2, "jobs"),
        (("run", "numbers", "--set", "jobs"), 2, "name=value"),
        (("run", "numbers", "--target", "azure"), 2, "azure"),
        (("plan", "numbers", "--target", "http://127.0.0.1:9"), 3, "credentials"),
        (("status", "numbers"), 2, "not up"),
        (("ssh", "numbers", "worker"), 2, "not up"),
        (("down",), 2, "--all"),
        (("nonsense",), 2, "nonsense"),
        (("send", "numbers", "-5,3"), 2, "behind --"),
        (("plan", "numbers", "--target", "http://u:canary@127.0.0.1:9"), 2, "127.0.0.1:9"),
        (("cloud", "reset"), 2, "--yes"),
        (("jobs", "numbers", "-n", "0"), 2, "0"),
        (("send", "numbers", "1", "--timeout", "nan"), 2, "nan"),
        (("list", "--labs", "absent.yaml"), 2, "absent.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_a_line_a_hint_and_a_status(
    labctl: Labctl, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = labctl(*arguments, ok=False)
    assert (done.returncode, done.stdout) == (status, "") or "list" not in arguments
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line != "target..."]
    assert 1 <= len(said) <= 2
    assert not list(labctl.state.glob("sessions/*"))


def test_a_state_folder_that_cannot_be_is_named(labctl: Labctl) -> None:
    labctl.state.write_text("a file, no folder")
    done = labctl("list", ok=False)
    assert done.returncode == 3
    assert str(labctl.state) in done.stderr
    assert "LABCTL_STATE" in done.stderr


def test_a_wrong_lab_file_shows_every_mistake_and_creates_nothing(labctl: Labctl) -> None:
    lab = labctl.folder / "lab.yaml"
    lab.write_text(
        "apiVersion: labctl/v1\nname: wrong\ntitle: Wrong\n"
        "resources:\n  jobs: {kind: sqs.queu}\n  more: {kind: sqs.queue, visibilty_timeout: 3s}\n"
    )
    done = labctl("run", "./lab.yaml", ok=False)
    assert done.returncode == 2
    assert "lab.yaml:5:" in done.stderr
    assert "lab.yaml:6:" in done.stderr
    assert "sqs.queue" in done.stderr
    assert "visibility_timeout" in done.stderr
    assert not (labctl.state / "cloud").exists()
    mistakes = json.loads(labctl("validate", "./lab.yaml", "--json", ok=False).stdout)
    assert [mistake["line"] for mistake in mistakes["mistakes"]] == [5, 6]


def test_piped_output_is_plain(labctl: Labctl) -> None:
    done = labctl("show", "numbers")
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_lab_names(labctl: Labctl, shell: str) -> None:
    script = labctl.environment | {"_LABCTL_COMPLETE": f"{shell}_source"}
    assert "_LABCTL_COMPLETE" in run(labctl, script).stdout
    words = {"COMP_WORDS": "labctl show nu", "COMP_CWORD": "nu" if shell == "fish" else "2"}
    asked = labctl.environment | words | {"_LABCTL_COMPLETE": f"{shell}_complete"}
    assert "numbers" in run(labctl, asked).stdout


def test_paths_and_sessions_complete_too(labctl: Labctl) -> None:
    session = labctl.state / "sessions" / "mine"
    session.mkdir(parents=True)
    (session / "session.json").write_text("{}")
    for words, offered in (
        ("labctl down mi", "plain,mine"),
        ("labctl run --name mi", "plain,mine"),
        ("labctl run ./la", "file,./la"),
    ):
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        environment = labctl.environment | asked | {"_LABCTL_COMPLETE": "bash_complete"}
        assert run(labctl, environment).stdout.split() == [offered]


def run(labctl: Labctl, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(labctl.command(), env=environment, capture_output=True, text=True)


def test_the_committed_schema_is_the_generated_one(labctl: Labctl) -> None:
    committed = (PROJECT / "schemas" / "lab.schema.json").read_text()
    assert labctl("schema").stdout == committed, "labctl schema > schemas/lab.schema.json"


def test_the_committed_policy_is_the_generated_one(labctl: Labctl) -> None:
    committed = (PROJECT / "policies" / "labctl.json").read_text()
    printed = labctl("doctor", "--policy").stdout
    assert printed == committed, "labctl doctor --policy > policies/labctl.json"


def test_a_closed_pipe_is_no_error(labctl: Labctl) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        labctl.command("show", "numbers"),
        stdout=write_end,
        stderr=subprocess.PIPE,
        env=labctl.environment,
        text=True,
    )
    os.close(write_end)
    assert "Traceback" not in done.stderr
