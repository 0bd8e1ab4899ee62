"""The main job by the real command: up, jobs, checks, figures, and everything a student types."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.end_to_end.audit import everything
from tests.end_to_end.conftest import Labctl

PHASES = ["target", "plan", "provision", "machines", "agents", "jobs", "checks"]


def audit(labctl: Labctl) -> list[str]:
    """What stands on the command's own cloud."""
    env = labctl.exports("numbers")
    return everything(
        env["AWS_ENDPOINT_URL"], env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
    )


def client(labctl: Labctl, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
    """A client as a student's own program makes it, from `labctl env`."""
    env = labctl.exports("numbers")
    session: Any = boto3.Session(
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"]
    )
    return session.client(service, endpoint_url=env["AWS_ENDPOINT_URL"])


def test_run_says_its_figures_in_the_promised_shape(labctl: Labctl) -> None:
    up = labctl.json("up", "numbers")[-1]
    assert (up["event"], up["changed"]) == ("UpFinished", 9)  # 8 resources and the agent
    events = labctl.json("run", "numbers", "--set", "jobs=120")
    last = events[-1]
    assert set(last) == {
        "event",
        "lab",
        "session",
        "ok",
        "jobs",
        "jobs_per_s",
        "latency_ms",
        "phases_s",
    }
    assert (last["event"], last["lab"], last["session"], last["ok"]) == (
        "RunFinished",
        "numbers",
        "numbers",
        True,
    )
    assert last["jobs"] == {
        "submitted": 120,
        "done": 120,
        "failed": 0,
        "lost": 0,
        "duplicated": 0,
    }
    assert last["jobs_per_s"] > 0
    assert 0 < last["latency_ms"]["p50"] <= last["latency_ms"]["p95"]
    assert list(last["phases_s"]) == PHASES
    assert all("at" in event for event in events[:-1])
    again = labctl.json("run", "numbers", "--set", "jobs=5")
    changed = [event for event in again if event["event"] == "StepFinished"]
    assert changed == []
    agents = [event for event in again if event["event"] == "AgentReady"]
    assert [event["changed"] for event in agents] == [False]
    assert again[-1]["jobs"]["done"] == 5
    before = audit(labctl)
    assert len(before) == 9  # 3 queues, bucket, table, instance, its volume, group, key
    proof = labctl.json("down", "numbers", "--yes")[-1]
    assert (proof["event"], proof["ok"], proof["left"]) == ("TeardownProved", True, [])
    assert len(proof["deleted"]) == 8


def test_run_down_ends_with_the_result_and_leaves_nothing(labctl: Labctl) -> None:
    endpoint = labctl.json("cloud", "start")[0]["endpoint"]
    events = labctl.json("run", "numbers", "--set", "jobs=10", "--down", "--yes")
    assert [event["event"] for event in events[-2:]] == ["TeardownProved", "RunFinished"]
    assert events[-2]["left"] == []
    keys = (labctl.state / "cloud" / "settings.json").read_text()
    settings = json.loads(keys)
    assert everything(endpoint, settings["access_key"], settings["secret_key"]) == []
    assert labctl.json("status") == []


def test_an_original_client_gets_its_answer_with_plain_names(labctl: Labctl) -> None:
    labctl("up", "numbers", "--plain-names")
    sqs = client(labctl, "sqs")
    requests = sqs.get_queue_url(QueueName="requestQueue")["QueueUrl"]
    responses = sqs.get_queue_url(QueueName="responseQueue")["QueueUrl"]
    sqs.send_message(QueueUrl=requests, MessageBody="1,2,3")
    answers = sqs.receive_message(QueueUrl=responses, WaitTimeSeconds=20)["Messages"]
    assert [answer["Body"] for answer in answers] == [
        "The list minimum is : 1 \n"
        "The list maximum is : 3 \n"
        "The list average is : 2 \n"
        "The list median is : 2 "
    ]
    refused = labctl("up", "numbers", "--name", "numbers", ok=False)
    assert refused.returncode == 0  # the session knows its naming


def test_jobs_typed_preset_random_and_from_a_pipe(labctl: Labctl) -> None:
    labctl("up", "numbers")
    preset = labctl.json("send", "numbers", "--preset")[0]
    assert preset["text"].startswith("The list minimum is : -15 \nThe list maximum is : 150 ")
    piped = labctl("send", "numbers", "-", "--json", stdin="1,2\nx\n", ok=False)
    assert piped.returncode == 1  # a job failed
    assert sorted(line for line in piped.stdout.split('"') if line == "Wrong input") == [
        "Wrong input"
    ]
    random = labctl.json("send", "numbers", "--random", "7")[0]
    assert random["state"] == "done"
    shown = labctl("send", "numbers", "3,1,2")
    assert "The list median is : 2" in shown.stdout
    assert labctl("send", "numbers", ok=False).returncode == 2
    sent = len(labctl.json("jobs", "numbers"))
    assert labctl("send", "numbers", "--preset", "--random", "0", ok=False).returncode == 2
    assert labctl("send", "numbers", "1,2", "", ok=False).returncode == 2
    assert len(labctl.json("jobs", "numbers")) == sent  # none of a command that is wrong
    failed = labctl.json("jobs", "numbers", "--failed")
    assert [job["answer"] for job in failed] == ["Wrong input"]


def test_the_worker_killed_five_times_loses_and_doubles_nothing(labctl: Labctl) -> None:
    labctl("cloud", "start", "--tier", "plain")  # there a worker is known by its working directory
    labctl("up", "numbers")
    answered, kills, killed = 0, 0, 0
    with labctl.started("run", "numbers", "--set", "jobs=200", "--json") as run:
        assert run.stdout is not None
        for line in run.stdout:
            last = json.loads(line)
            answered += last["event"] == "JobFinished"
            if kills < 5 and last["event"] == "JobFinished" and answered > 30 * kills:
                killed = kill_worker(labctl.state, other_than=killed)
                kills += 1
    assert kills == 5
    assert last["jobs"] == {
        "submitted": 200,
        "done": 200,
        "failed": 0,
        "lost": 0,
        "duplicated": 0,
    }


def test_the_emulator_killed_in_mid_run_loses_no_job(labctl: Labctl) -> None:
    labctl("up", "numbers")
    with labctl.started("run", "numbers", "--set", "jobs=400", "--json") as run:
        assert run.stdout is not None
        killed = False
        for line in run.stdout:
            if not killed and "JobFinished" in line:
                running = json.loads((labctl.state / "cloud" / "running.json").read_text())
                os.kill(running["emulator_pid"], signal.SIGKILL)
                killed = True
    assert killed
    last = json.loads(line)
    # What the emulator had not saved is gone, stored results included: such a job is worked on
    # again, counted as `duplicated`, and still recorded once.
    assert (last["jobs"]["done"], last["jobs"]["lost"]) == (400, 0)
    recorded = [job["job_id"] for job in labctl.json("jobs", "numbers", "-n", "1000")]
    assert len(recorded) == len(set(recorded)) == 400


def kill_worker(state: Path, *, other_than: int) -> int:
    """SIGKILL the worker as soon as there is another one than that; return its process id."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                ours = (process / "cwd").readlink().is_relative_to(state)
            except OSError:  # it ended while we looked
                continue
            if ours and b"numbers_worker" in words and int(process.name) != other_than:
                os.kill(int(process.name), signal.SIGKILL)
                return int(process.name)
    raise AssertionError("no worker came back within 30 s")


def test_machines_are_reached_by_every_road(labctl: Labctl) -> None:
    labctl("cloud", "start", "--tier", "plain")  # they tell by a file of ours that they are at work
    labctl("up", "numbers", "--set", "workers=2")
    assert labctl("ssh", "numbers", "worker.1", "--", "exit 7", ok=False).returncode == 7
    said = labctl("exec", "numbers", "worker", "--json", "--", "echo $LABCTL_INSTANCE").stdout
    everywhere = [json.loads(line) for line in said.splitlines()]
    assert len({line["stdout"] for line in everywhere}) == 2
    config = labctl.folder / "ssh.conf"
    config.write_text(labctl("ssh-config", "numbers").stdout)
    plain = subprocess.run(
        ["ssh", "-F", str(config), "worker.0", "systemctl is-active labctl-numbers"],
        capture_output=True,
        text=True,
    )
    assert (plain.returncode, plain.stdout.strip()) == (0, "active"), plain.stderr
    for command in ("ssh", "exec"):
        assert interrupted(labctl, command, "numbers", "worker.0", "--") == 130
    logs = labctl("logs", "numbers", "worker.0").stdout
    assert "ready" in logs
    assert "no machine" in labctl("ssh", "numbers", "worker.7", ok=False).stderr
    status = labctl.json("status", "numbers")[0]
    assert [machine["machine"] for machine in status["machines"]] == ["worker.0", "worker.1"]


def interrupted(labctl: Labctl, *command: str) -> int:
    """Return the status of a command that is at work on a machine when Ctrl-C is pressed once."""
    begun = labctl.folder / "begun"
    os.mkfifo(begun)
    with labctl.started(*command, f"echo > {begun}; exec sleep 600") as running:
        begun.read_text()
        begun.unlink()
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=10)
    return running.returncode


def test_drift_made_by_hand_is_seen_and_mended(labctl: Labctl) -> None:
    labctl("up", "numbers")
    env = labctl.exports("numbers")
    client(labctl, "sqs").set_queue_attributes(
        QueueUrl=env["LAB_REQUESTS"], Attributes={"VisibilityTimeout": "7"}
    )
    client(labctl, "sqs").delete_queue(QueueUrl=env["LAB_RESPONSES"])
    steps = {step["resource"]: step for step in plan_of(labctl)}
    assert (steps["requests"]["action"], steps["responses"]["action"]) == ("update", "create")
    assert "7" in steps["requests"]["reason"]
    labctl("up", "numbers")
    assert {step["action"] for step in plan_of(labctl)} == {"keep", "push"}


def plan_of(labctl: Labctl) -> list[dict[str, Any]]:
    """The steps of `labctl plan`."""
    made = [event for event in labctl.json("plan", "numbers") if event["event"] == "PlanMade"]
    steps: list[dict[str, Any]] = made[0]["steps"]
    return steps


def test_a_stopped_run_tells_what_became_of_its_jobs(labctl: Labctl) -> None:
    labctl("up", "numbers")
    with labctl.started("run", "numbers", "--set", "jobs=20000", "--json") as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "JobFinished" in line:
                break
        run.send_signal(signal.SIGINT)
        rest, errors = run.communicate(timeout=30)
    assert run.returncode == 130, errors
    last = json.loads(rest.splitlines()[-1])
    assert (last["event"], last["ok"], last["jobs"]["lost"]) == ("RunFinished", False, 0)
    assert 0 < last["jobs"]["done"] <= last["jobs"]["submitted"]


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_in_up_leaves_a_session_that_goes_on(labctl: Labctl, times: int) -> None:
    labctl("cloud", "start")
    with labctl.started("up", "numbers", "--json") as up:
        assert up.stdout is not None
        for line in up.stdout:
            if "StepStarted" in line:
                break
        for _ in range(times):
            up.send_signal(signal.SIGINT)
        _, errors = up.communicate(timeout=10)
    assert up.returncode == 130, errors
    labctl("up", "numbers")
    labctl("down", "numbers", "--yes")


def test_a_second_labctl_is_refused_and_told_by_whom(labctl: Labctl) -> None:
    labctl("up", "numbers")
    with labctl.started("run", "numbers", "--set", "jobs=2000", "--json") as first:
        assert first.stdout is not None
        for line in first.stdout:
            if "JobsSent" in line:
                break
        second = labctl("up", "numbers", ok=False)
        assert second.returncode == 3
        assert f"process {first.pid}" in second.stderr
        first.kill()
        first.communicate()
    assert labctl("up", "numbers").returncode == 0


def test_nothing_secret_is_printed_or_kept(labctl: Labctl, tmp_path: Path) -> None:
    labctl("run", "numbers", "--set", "jobs=5")
    secret = labctl.exports("numbers")["AWS_SECRET_ACCESS_KEY"]
    holders = [
        file.relative_to(labctl.state)
        for file in labctl.state.rglob("*")
        if file.is_file() and not file.is_symlink() and secret.encode() in file.read_bytes()
    ]
    allowed = {"settings.json", "running.json", "credentials"}
    assert {holder.name for holder in holders} <= allowed
    assert all((labctl.state / each).stat().st_mode & 0o077 == 0 for each in holders)
