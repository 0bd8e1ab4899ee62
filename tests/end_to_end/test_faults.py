"""Faults by the real command on real machines: what they do, that they end, and no job is lost."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.cloud.running import wait_for
from tests.end_to_end.conftest import Labctl
from tests.end_to_end.test_scale import SLOW

JOBS = 400
SERVICE = "labctl-numbers"


@pytest.fixture(scope="module")
def labctl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labctl]:
    """The command with a lab of two slow workers, up; what a dead one held comes back soon."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "home").mkdir()
    runner = Labctl(state=folder / "state", folder=folder / "home")
    runner("new", "slow")
    (runner.folder / "slow/remote/numbers_worker/__main__.py").write_text(SLOW)
    file = runner.folder / "slow/lab.yaml"
    file.write_text(file.read_text().replace("visibility_timeout: 30s", "visibility_timeout: 4s"))
    runner("up", "./slow", "--set", "workers=2", "--set", f"jobs={JOBS}")
    yield runner
    runner("cloud", "stop", ok=False)


def fault(labctl: Labctl, *arguments: str) -> list[dict[str, Any]]:
    """Do a fault and return what began and ended."""
    told = labctl.json("fault", *arguments)
    return [event for event in told if event["event"] in ("FaultBegan", "FaultEnded")]


def shown(labctl: Labctl, machine: str, what: str) -> str:
    done = labctl("ssh", "slow", machine, "--", f"systemctl show -p {what} --value {SERVICE}")
    return done.stdout.strip()


def process_state(labctl: Labctl, machine: str) -> str:
    script = f"cat /proc/$(systemctl show -p MainPID --value {SERVICE})/stat"
    stat = labctl("ssh", "slow", machine, "--", script).stdout
    return stat[stat.rindex(")") + 2]


def client(labctl: Labctl, lab: str, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
    env = labctl.exports(lab)
    session: Any = boto3.Session(
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"]
    )
    return session.client(service, endpoint_url=env["AWS_ENDPOINT_URL"])


def test_faults_in_the_middle_of_a_run_lose_no_job(labctl: Labctl) -> None:
    with labctl.started("run", "./slow", "--json") as run:
        assert run.stdout is not None
        lines = (json.loads(line) for line in run.stdout)
        next(event for event in lines if event["event"] == "JobFinished")
        killed = fault(labctl, "kill", "slow", "worker.0", "--for", "2s")
        paused = fault(labctl, "pause", "slow", "worker.1", "--for", "1s")
        stopped = fault(labctl, "stop", "slow", "worker.0")
        cleared = fault(labctl, "clear", "slow")
        again = fault(labctl, "kill", "slow", "worker.1")
        *rest, last = lines
    assert last["ok"] is True
    assert last["jobs"] == {
        "submitted": JOBS,
        "done": JOBS,
        "failed": 0,
        "lost": 0,
        "duplicated": 0,
    }
    assert [event["event"] for event in killed + paused] == ["FaultBegan", "FaultEnded"] * 2
    assert killed[1]["jobs"]["done"] > 0, "the other machine went on"
    assert killed[1]["seconds"] >= 2
    assert [event["event"] for event in stopped + cleared] == ["FaultBegan", "FaultEnded"]
    assert [(event["event"], event["once"]) for event in again] == [("FaultBegan", True)]
    assert any(event["at"] > again[0]["at"] for event in rest if event["event"] == "JobFinished")
    kept = (labctl.state / "sessions/slow/events.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in kept if '"event": "Fault' in line]
    done = [killed[0], paused[0], stopped[0], again[0]]
    assert all(any(same.items() <= event.items() for event in told) for same in done)


def test_a_killed_labctl_leaves_a_fault_that_clear_undoes(labctl: Labctl) -> None:
    with labctl.started("fault", "pause", "slow", "worker.0", "--for", "10m", "--json") as held:
        assert held.stdout is not None
        next(line for line in held.stdout if "FaultBegan" in line)
        held.kill()
        held.communicate()
    assert process_state(labctl, "worker.0") == "T"
    (known,) = labctl.json("fault", "list", "slow")
    assert (known["what"], known["machine"], known["done"]) == ("pause", "worker.0", True)
    assert "fault: pause is on worker.0" in labctl("status", "slow").stdout
    assert "pause is on worker.0 already" in labctl("fault", "pause", "slow", "worker.0").stdout
    refused = labctl("fault", "stop", "slow", "worker.0", ok=False)
    assert (refused.returncode, "pause is on worker.0" in refused.stderr) == (2, True)
    assert labctl("fault", "clear", "slow").stdout.splitlines()[1] == "1 cleared"
    wait_for(lambda: process_state(labctl, "worker.0") != "T")
    assert labctl("fault", "clear", "slow").stdout == "no fault is on\n"


@pytest.mark.parametrize("name", ["partition", "delay"])
def test_a_network_fault_is_undone_or_refused_with_its_reason(labctl: Labctl, name: str) -> None:
    done = labctl("fault", name, "slow", "worker.0", "--for", "100ms", "--json", ok=False)
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    if done.returncode == 0:
        assert events[-2:] == ["FaultBegan", "FaultEnded"]
    else:
        assert done.returncode == 3
        assert "no instance can be" in done.stderr
        assert "FaultBegan" not in events
    assert labctl.json("fault", "list", "slow") == []


def test_ctrl_c_undoes_what_is_held(labctl: Labctl) -> None:
    with labctl.started("fault", "kill", "slow", "worker.1", "--for", "10m", "--json") as held:
        assert held.stdout is not None
        next(line for line in held.stdout if "FaultBegan" in line)
        assert shown(labctl, "worker.1", "ActiveState") == "inactive"
        held.send_signal(signal.SIGINT)
        out, err = held.communicate()
    assert held.returncode == 130
    assert "undone" in err
    assert json.loads(out.splitlines()[-1])["event"] == "FaultEnded"
    assert shown(labctl, "worker.1", "ActiveState") == "active"


def test_roles_and_machines_are_completed(labctl: Labctl) -> None:
    asked = {
        "COMP_WORDS": "labctl fault stop slow wor",
        "COMP_CWORD": "4",
        "_LABCTL_COMPLETE": "bash_complete",
    }
    done = subprocess.run(
        labctl.command(), env=labctl.environment | asked, capture_output=True, text=True, timeout=60
    )
    names = [line.partition(",")[2] for line in done.stdout.splitlines()]
    assert names == ["worker", "worker.0", "worker.1"]


def test_no_fault_outlives_the_lab(labctl: Labctl) -> None:
    labctl("up", "./slow", "--name", "second")
    labctl("fault", "stop", "second", "worker.0")
    (machine,) = labctl.json("status", "second")[0]["machines"]
    ec2 = client(labctl, "second", "ec2")
    ec2.stop_instances(InstanceIds=[machine["id"]])
    ec2.get_waiter("instance_stopped").wait(
        InstanceIds=[machine["id"]], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    refused = labctl("fault", "clear", "second", ok=False)
    assert (refused.returncode, "worker.0 is stopped" in refused.stderr) == (3, True)
    proof = labctl.json("down", "second", "--yes")[-1]
    assert (proof["event"], proof["left"]) == ("TeardownProved", [])
    assert not (labctl.state / "sessions/second/faults.jsonl").exists()
    refused = labctl("fault", "clear", "second", ok=False)
    assert refused.returncode == 2
