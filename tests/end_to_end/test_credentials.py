"""Credentials that end under the real command: paused, refreshed, resumed, nothing lost."""

from __future__ import annotations

import base64
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest

from labctl.cloud import launch
from labctl.cloud.layout import Layout
from labctl.cloud.session_mode import end_sessions, issue_session
from labctl.paths import write_private
from tests.cloud.running import wait_for
from tests.end_to_end.conftest import Labctl

EXPIRIES = 50


@pytest.fixture
def academy(labctl: Labctl) -> Labctl:
    """The command, on a cloud whose keys end."""
    labctl("cloud", "start", "--session-ttl", "1h")
    return labctl


def save_new_keys(labctl: Labctl) -> float:
    """Save a fresh block in the file that labctl follows, as an editor does; return its end."""
    keys = issue_session(labctl.state)
    write_private(Layout.of(labctl.state).session_file, keys.block())
    return keys.expires_at


class Run:
    """A `labctl run` in the background, its events as they come."""

    def __init__(self, labctl: Labctl, *arguments: str) -> None:
        self.process = labctl.started("run", "numbers", "--json", *arguments)
        self.events: list[dict[str, Any]] = []
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def count(self, name: str) -> int:
        return sum(event["event"] == name for event in list(self.events))

    def reaches(self, name: str, times: int) -> None:
        wait_for(lambda: self.count(name) >= times or self._is_over(), deadline_s=60)
        assert self.count(name) >= times, self.end()

    def _is_over(self) -> bool:
        return self.process.poll() is not None and not self._reader.is_alive()

    def end(self) -> int:
        self._reader.join(120)  # it alone reads what the run prints
        assert self.process.stderr is not None
        assert self.process.stdout is not None
        said = self.process.stderr.read()
        self.process.stderr.close()
        self.process.stdout.close()
        assert "Traceback" not in said
        return self.process.wait(30)


def agents(labctl: Labctl) -> str:
    return labctl(
        "exec", "numbers", "worker", "--", "systemctl show -p MainPID labctl-numbers"
    ).stdout


def test_fifty_ends_in_three_hundred_jobs(academy: Labctl) -> None:
    academy("up", "numbers")
    before = agents(academy)
    run = Run(academy, "--set", "jobs=300")
    run.reaches("AgentReady", 1)
    for times in range(1, EXPIRIES + 1):
        end_sessions(academy.state)
        run.reaches("CredentialsExpired", times)
        save_new_keys(academy)
        run.reaches("CredentialsRenewed", times)
    assert run.end() == 0
    finished = next(event for event in run.events if event["event"] == "RunFinished")
    assert finished["jobs"] | {"submitted": 300, "done": 300} == finished["jobs"]
    assert finished["jobs"]["lost"] == finished["jobs"]["duplicated"] == 0
    assert agents(academy) == before  # no worker was restarted
    academy("down", "numbers", "--yes")


def test_a_run_without_keys_can_be_taken_up_and_a_teardown_says_what_stands(
    academy: Labctl,
) -> None:
    academy("up", "numbers")
    academy("fault", "expire")
    stopped = academy("run", "numbers", "--creds-timeout", "200ms", ok=False)
    assert stopped.returncode == 3
    (paused,) = [line for line in stopped.stderr.splitlines() if line.startswith("PAUSED")]
    assert "labctl cloud session | labctl creds paste" in paused
    assert "no new ones came within 200 ms" in stopped.stderr
    down = academy("down", "numbers", "--yes", "--creds-timeout", "200ms", ok=False)
    assert down.returncode == 3
    assert "still there, as the ledger has it: " in down.stderr
    for kind in ("sqs.queue", "s3.bucket", "ec2.instance"):
        assert kind in down.stderr
    status = academy("creds", "status", "--json", ok=False)
    assert status.returncode == 3
    report = json.loads(status.stdout)
    assert (report["ok"], report["sessions"]) == (False, ["numbers"])

    block = academy("cloud", "session").stdout
    pasted = academy("creds", "paste", stdin=block)
    assert "new keys are on worker.0" in pasted.stderr
    assert block.splitlines()[2].partition("=")[2] not in pasted.stdout + pasted.stderr
    academy("run", "numbers", "--set", "jobs=50")
    proof = academy("down", "numbers", "--yes").stdout
    assert "nothing is left" in proof


def test_the_machines_keys_are_in_one_private_file_only(academy: Labctl) -> None:
    academy("up", "numbers")
    academy("creds", "paste", stdin=academy("cloud", "session").stdout)
    token = Layout.of(academy.state).session_file.read_text().split("aws_session_token")[1]
    secret = token.strip(" =\n")
    on_machine = academy("exec", "numbers", "worker", "--", "stat -c %a ~/.aws/credentials").stdout
    assert "600" in on_machine
    held = [
        folder / name for folder in Path("/proc").glob("[0-9]*") for name in ("cmdline", "environ")
    ]
    assert [file for file in held if secret.encode() in _content(file)] == []
    for place in ("ledger.jsonl", "events.jsonl", "session.json"):
        assert secret not in (academy.state / "sessions" / "numbers" / place).read_text()
    ec2 = root_client(academy, "ec2")
    instance = ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    data = ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")
    assert secret not in base64.b64decode(data["UserData"]["Value"]).decode()


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # of another user, or just gone
        return b""


def root_client(labctl: Labctl, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
    """A client that shares no code with labctl, with keys that do not end."""
    info = launch.ensure_started(labctl.state)
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=info.endpoint,
        region_name="us-east-1",
        aws_access_key_id=info.access_key,
        aws_secret_access_key=info.secret_key,
    )


STUDENTS_PROGRAM = """
import boto3, sys
queue, s = sys.argv[1], boto3.client("sqs")
for line in sys.stdin:
    s.send_message(QueueUrl=queue, MessageBody=line)
    print("sent", flush=True)
"""


def test_a_students_own_program_lives_through_a_refresh(academy: Labctl) -> None:
    academy("up", "numbers")
    exports = academy.exports("numbers")
    academy("cloud", "start", "--session-ttl", "9m")  # boto3 asks anew once 10 are left
    assert not exports.keys() & {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    with subprocess.Popen(
        [sys.executable, "-c", STUDENTS_PROGRAM, exports["LAB_REQUESTS"]],
        env=academy.environment | exports,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for _ in range(3):
            save_new_keys(academy)
            program.stdin.write("a job\n")
            program.stdin.flush()
            assert program.stdout.readline() == "sent\n"
            academy("fault", "expire")
        program.stdin.close()
    assert program.returncode == 0


def test_a_block_pasted_into_a_terminal_is_not_echoed(academy: Labctl) -> None:
    block = academy("cloud", "session").stdout
    ours, theirs = pty.openpty()
    paste = subprocess.Popen(
        academy.command("creds", "paste"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=academy.environment,
        cwd=academy.folder,
    )
    os.close(theirs)
    shown = _read_until(ours, b"empty line:")
    os.write(ours, block.encode())
    shown += _read_until(ours, b"next:")
    os.close(ours)
    assert paste.wait(30) == 0
    assert b"accepted by account" in shown
    for line in block.splitlines()[1:]:
        assert line.partition("=")[2].encode() not in shown


def _read_until(descriptor: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        seen += os.read(descriptor, 4096)
    return seen


def test_the_watch_tells_an_end_and_a_renewal(academy: Labctl) -> None:
    with academy.started("creds", "watch", "--json") as watch:
        assert watch.stdout is not None
        told = (json.loads(line) for line in watch.stdout)
        first = next(each for each in told if "ok" in each)
        end_sessions(academy.state)
        ended = next(each for each in told if "ok" in each)
        save_new_keys(academy)
        renewed = next(each for each in told if each.get("event") == "CredentialsRenewed")
        again = next(each for each in told if "ok" in each)
        watch.send_signal(signal.SIGINT)
        assert list(told) == []
    assert [each["ok"] for each in (first, ended, again)] == [True, False, True]
    assert first["key"] != again["key"]
    assert renewed["about"]
    assert watch.returncode == 0


def test_a_refresh_gives_the_machines_the_present_keys(academy: Labctl) -> None:
    academy("up", "numbers")
    save_new_keys(academy)
    assert "new keys are on worker.0" in academy("creds", "refresh").stderr
    key = Layout.of(academy.state).session_file.read_text().split()[1].partition("=")[2]
    found = academy("exec", "numbers", "worker", "--", f"grep -c {key} ~/.aws/credentials").stdout
    assert found == "worker.0: 1\n"
