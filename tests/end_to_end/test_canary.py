"""A canary in the environment, the files and a job is seen nowhere after a hundred failures."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from labctl.cloud.layout import Layout
from tests.end_to_end import canary_failures as failures
from tests.end_to_end.canary import Canary, child, files_with, found_in, new_canary
from tests.end_to_end.conftest import Labctl
from tests.end_to_end.echo import CODES, SPELLINGS, echo

FAILED_CALLS = 30
# Where keys are kept on purpose; and the local cloud, which holds jobs as they were sent to it.
_KEY_FILES = re.compile(r"cloud/(session-credentials|settings\.json)|cloud/.*/\.aws/credentials")
_CLOUDS_DATA = re.compile(r"cloud/(saved|objects)/|cloud/instances/.*/spool/")


@dataclass(frozen=True)
class Planted(Labctl):
    """The command with a canary in its environment, and another in the user's file."""

    mine: Canary = field(default_factory=new_canary)
    filed: Canary = field(default_factory=new_canary)

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | self.mine.environment

    def plant(self) -> None:
        file = self.folder / ".aws" / "credentials"
        file.parent.mkdir()
        file.write_text(f"[default]\n{self.filed.profile}")


class Toll:
    """Counts failures, and keeps all that was said of them."""

    def __init__(self, labctl: Planted, folder: Path) -> None:
        self.labctl, self.said, self.count = labctl, folder / "said.txt", 0

    def inside(self, work: Callable[[], object], *, status: int, many: bool = False) -> None:
        """Fail in a forked child; `many`: as often as its status says."""

        def planted() -> None:
            os.environ.update(self.labctl.environment)
            os.chdir(self.labctl.folder)
            work()

        ended = child(planted, self.said)
        assert ended == status, self.said.read_text()[-3000:]
        self.count += status if many else status != 0

    def outside(self, *arguments: str, stdin: str = "", status: int = 3) -> None:
        """Fail as the real command."""
        done = self.labctl(*arguments, stdin=stdin, ok=False)
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        with self.said.open("a") as said:
            said.write(done.stdout + done.stderr)
        self.count += status != 0


@pytest.fixture
def toll(tmp_path: Path) -> Iterator[Toll]:
    folder = tmp_path / "home"
    folder.mkdir()
    labctl = Planted(state=tmp_path / "state", folder=folder)
    labctl.plant()
    yield Toll(labctl, tmp_path)
    labctl("cloud", "stop", ok=False)


def test_a_canary_is_seen_nowhere(toll: Toll) -> None:
    labctl, mine, filed = toll.labctl, toll.labctl.mine, toll.labctl.filed
    with echo() as url:
        refuse_in_process(toll, url)
    break_in_process(toll)
    labctl("cloud", "start", "--session-ttl", "1h")
    session = issued(labctl)
    toll.inside(
        lambda: failures.fails_at_each_call(session, FAILED_CALLS), status=FAILED_CALLS, many=True
    )
    with_bad_keys(toll, session)
    on_machines(toll)

    assert toll.count >= 100
    canaries = [mine, filed, session]
    assert leaks(toll.said, canaries) == []
    assert b"****" in toll.said.read_bytes()  # they were there to be seen
    kept = files_with(
        labctl.state, [mine, session], but=lambda file: bool(_KEY_FILES.match(str(file)))
    )
    kept += files_with(
        labctl.state,
        canaries,
        but=lambda file: any(p.match(str(file)) for p in (_KEY_FILES, _CLOUDS_DATA)),
    )
    assert kept == []


def leaks(said: Path, canaries: list[Canary]) -> list[bytes]:
    """Return the lines, without the secret, in which pieces of canaries were said."""
    return [
        line.replace(found[0], b"<HERE>")[:200]
        for line in said.read_bytes().splitlines()
        if (found := found_in(line, canaries))
    ]


def issued(labctl: Labctl) -> Canary:
    """Return the session's keys as the local cloud gave them out."""
    lines = Layout.of(labctl.state).session_file.read_text().splitlines()
    return Canary(*(line.partition("=")[2].strip() for line in lines[1:4]))


def refuse_in_process(toll: Toll, url: str) -> None:
    refusals = SPELLINGS * len(CODES) // 2 * 4
    toll.inside(lambda: failures.refused_by_echo(url), status=refusals, many=True)
    toll.inside(lambda: failures.command("plan", "numbers", "--target", url), status=3)
    toll.inside(lambda: failures.command("up", "numbers", "--target", url, "--debug"), status=70)
    toll.inside(lambda: failures.command("doctor", "--target", url, "--json"), status=0)


def break_in_process(toll: Toll) -> None:
    mine, filed = toll.labctl.mine, toll.labctl.filed
    toll.inside(lambda: failures.screen(mine), status=2, many=True)
    toll.inside(lambda: failures.breaks_in_a_thread(mine), status=70)
    toll.inside(lambda: failures.interrupted_by_keys(mine), status=70)
    store = toll.labctl.state / "results.sqlite3"
    toll.inside(lambda: failures.jobs_with_keys(filed, store), status=14, many=True)


def with_bad_keys(toll: Toll, session: Canary) -> None:
    """Paste wrong, half and stale keys, let the good ones end, and save half a file."""
    file = Layout.of(toll.labctl.state).session_file
    good = file.read_text()
    wrong = f"[default]\n{toll.labctl.filed.profile}"
    toll.outside("creds", "paste", stdin=wrong)
    toll.outside("creds", "paste", stdin=wrong.rpartition("aws_session_token")[0])
    toll.outside("fault", "expire", status=0)
    toll.outside("creds", "status", "--json")
    toll.outside("plan", SMALL, "--debug", status=1)
    file.write_text(good.replace("aws_session_token", "aws_security_token = stale\n#"))
    toll.outside("plan", SMALL)
    toll.labctl("creds", "paste", stdin=toll.labctl("cloud", "session").stdout)


def on_machines(toll: Toll) -> None:
    """Send jobs with keys, kill their worker, let a machine say keys, and be refused by SSH."""
    labctl, filed = toll.labctl, toll.labctl.filed
    labctl("up", "numbers")
    toll.outside("send", "numbers", f"key {filed.secret}", f"{filed.token}", status=1)
    toll.outside("jobs", "numbers", status=0)
    toll.outside("jobs", "numbers", "--json", status=0)
    toll.outside("exec", "numbers", "worker", "--", f"echo {filed.token} >&2; exit 3", status=1)
    kill = "systemctl show -p MainPID labctl-numbers | cut -d= -f2 | xargs kill -9"
    toll.outside("exec", "numbers", "worker", "--", kill, status=0)
    toll.outside("logs", "numbers", status=0)
    with_a_wrong_host_key(toll)
    run = labctl.started("run", "numbers", "--json", "--set", "jobs=20000")
    assert run.stdout is not None
    said = run.stdout.readline()
    run.send_signal(signal.SIGINT)
    rest, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    with toll.said.open("a") as kept:
        kept.write(said + rest + errors)
    toll.count += 1


def with_a_wrong_host_key(toll: Toll) -> None:
    """Meet a machine that is not the pinned one: no command reaches it, no key is pushed to it."""
    pins = toll.labctl.state / "sessions" / "numbers" / "keys" / "host-keys.json"
    good = pins.read_text()
    other = json.loads(good)
    for machine, keys in other.items():
        other[machine] = [f"{keys[0][:-8]}AAAAAAAA"]
    pins.write_text(json.dumps(other))
    toll.outside("exec", "numbers", "worker", "--", "true", status=1)
    toll.outside("creds", "refresh", status=0)  # it warns of the machine
    pins.write_text(good)


SMALL = failures.SMALL
