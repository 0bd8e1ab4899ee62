"""A role gets more and fewer machines while its jobs run: no job lost, none done twice."""

from __future__ import annotations

import json
import os
from typing import Any

from labctl.ledger.lock import ledger_lock
from tests.end_to_end.conftest import Labctl

SLOW = '''
"""The worker of the lab, at 0.4 seconds a job."""

import sys
import threading

from job_runtime import Job, Outcome, run_worker
from numbers_worker.four_figures import work


def work_slowly(job: Job) -> Outcome:
    threading.Event().wait(0.4)
    return work(job)


if __name__ == "__main__":
    sys.exit(run_worker(work_slowly))
'''
JOBS = 500


def machines(labctl: Labctl, lab: str) -> list[str]:
    return [each["machine"] for each in labctl.json("status", lab)[0]["machines"]]


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def test_machines_join_and_leave_while_jobs_run(labctl: Labctl) -> None:
    labctl("new", "slow")
    (labctl.folder / "slow/remote/numbers_worker/__main__.py").write_text(SLOW)
    finished: list[dict[str, Any]] = []
    with labctl.started("run", "./slow", "--set", f"jobs={JOBS}", "--json") as run:
        assert run.stdout is not None
        lines = (json.loads(line) for line in run.stdout)
        jobs = (event for event in lines if event["event"] in ("JobFinished", "RunFinished"))
        finished.append(next(jobs))
        refused = labctl("up", "./slow", ok=False)
        grown = labctl.json("scale", "./slow", "worker", "3")
        while len({job["worker"] for job in finished}) < 2:
            finished.append(next(jobs))
        shrunk = labctl.json("scale", "./slow", "worker", "1")
        *rest, last = jobs
        finished += rest
    assert refused.returncode == 3
    assert f"process {run.pid}" in refused.stderr
    assert (grown[-1]["event"], grown[-1]["before"], grown[-1]["machines"]) == (
        "ScaleFinished",
        1,
        3,
    )
    started = [event["machine"] for event in grown if event["event"] == "AgentReady"]
    assert sorted(started) == ["worker.1", "worker.2"]
    assert (shrunk[-1]["before"], shrunk[-1]["machines"]) == (3, 1)
    drained = [event["machine"] for event in shrunk if event["event"] == "MachineDrained"]
    assert sorted(drained) == ["worker.1", "worker.2"]
    assert names(shrunk).index("StepFinished") > names(shrunk).index("MachineDrained") + 1
    assert any(job["at"] > shrunk[-1]["at"] for job in finished), "the jobs ended too early"
    assert last["ok"] is True
    assert last["jobs"] == {
        "submitted": JOBS,
        "done": JOBS,
        "failed": 0,
        "lost": 0,
        "duplicated": 0,
    }
    assert len({job["job_id"] for job in finished}) == len(finished) == JOBS
    assert machines(labctl, "slow") == ["worker.0"]
    plan = [event for event in labctl.json("plan", "./slow") if event["event"] == "PlanMade"]
    assert {step["action"] for step in plan[0]["steps"]} == {"keep", "push"}
    proof = labctl.json("down", "./slow", "--yes")[-1]
    assert (proof["event"], proof["left"]) == ("TeardownProved", [])


def test_up_with_fewer_machines_drains_those_that_leave(labctl: Labctl) -> None:
    labctl("up", "numbers", "--set", "workers=2")
    events = labctl.json("up", "numbers", "--set", "workers=1")
    drained = [event["machine"] for event in events if event["event"] == "MachineDrained"]
    assert drained == ["worker.1"]
    assert machines(labctl, "numbers") == ["worker.0"]


def test_a_killed_scale_is_taken_up_by_the_same_command(labctl: Labctl) -> None:
    labctl("up", "numbers")
    with labctl.started("scale", "numbers", "worker", "2", "--json") as scale:
        assert scale.stdout is not None
        for line in scale.stdout:
            if "StepFinished" in line:  # the machine runs, and nothing was pushed to it yet
                break
        scale.kill()
        scale.communicate()
    labctl("scale", "numbers", "worker", "2")
    states = labctl("exec", "numbers", "worker", "--", "systemctl is-active labctl-numbers").stdout
    assert sorted(states.splitlines()) == ["worker.0: active", "worker.1: active"]


def test_who_writes_the_ledger_keeps_the_others_out(labctl: Labctl) -> None:
    labctl("up", "numbers")
    with ledger_lock(labctl.state / "sessions" / "numbers"):
        for command in (
            ["scale", "numbers", "worker", "2"],
            ["up", "numbers"],
            ["down", "numbers"],
        ):
            refused = labctl(*command, ok=False)
            assert refused.returncode == 3, command
            assert f"process {os.getpid()} " in refused.stderr
    assert machines(labctl, "numbers") == ["worker.0"]


def test_what_cannot_be_is_refused(labctl: Labctl) -> None:
    refused = labctl("scale", "numbers", "worker", "2", ok=False)
    assert (refused.returncode, "is not up" in refused.stderr) == (2, True)
    labctl("up", "numbers")
    refused = labctl("scale", "numbers", "worker", "10", ok=False)
    assert refused.returncode == 2
    assert "worker: 10 is more than the most, 9" in refused.stderr
    assert machines(labctl, "numbers") == ["worker.0"]
