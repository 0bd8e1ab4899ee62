"""Recorded sessions for tests: files of events made line by line, the same on every machine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from labctl import events as e

BEGAN_AT = 1_800_000_000.0
History = list[tuple[float, e.Event]]


def write(path: Path, history: Iterable[tuple[float, e.Event]]) -> Path:
    """Write a history as `EventFile` does, and return the file."""
    records = ({"at": at, **e.as_record(event)} for at, event in history)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def job(number: int, *, state: str = "done", answer: str = "42") -> e.JobFinished:
    """Return a job that is over."""
    return e.JobFinished(
        job_id=f"job-{number:05}",
        body=json.dumps({"id": f"job-{number:05}", "numbers": [number, number + 1]}),
        sent_at=BEGAN_AT,
        state=state,
        worker="worker.0",
        attempt=1,
        latency_ms=12.5,
        answer=answer,
    )


def brought_up() -> History:
    """Return a lab's way up: two queues and a machine with its agent."""
    history: list[e.Event] = [
        e.PhaseStarted(phase="target"),
        e.TargetReady(target="local", account="000000000000", region="us-east-1", endpoint=None),
        e.PhaseEnded(phase="target", seconds=0.2),
        e.PlanMade(
            steps=tuple(
                {"action": "create", "resource": name, "kind": kind, "name": f"lab-{name}"}
                for name, kind in _RESOURCES
            ),
            price_per_hour_usd=0.0104,
        ),
        e.PhaseStarted(phase="provision"),
    ]
    for name, kind in _RESOURCES:
        history += [
            e.StepStarted(step=name, action="create", resource=name, kind=kind),
            e.ResourceReady(resource=name, kind=kind, name=f"lab-{name}", id=name, members=1),
            e.StepFinished(
                step=name,
                action="create",
                resource=name,
                kind=kind,
                name=f"lab-{name}",
                seconds=0.3,
            ),
        ]
    history += [
        e.PhaseEnded(phase="provision", seconds=1.0),
        e.PhaseStarted(phase="machines"),
        e.MachineReady(machine="worker.0", id="i-1", address="10.0.0.4", port=22, seconds=1.5),
        e.PhaseEnded(phase="machines", seconds=1.5),
        e.PhaseStarted(phase="agents"),
        e.AgentReady(agent="numbers", machine="worker.0", changed=True, seconds=0.4),
        e.PhaseEnded(phase="agents", seconds=0.5),
        e.UpFinished(lab="numbers", session="s", ok=True, changed=4, phases_s={"agents": 0.5}),
    ]
    return _timed(history, BEGAN_AT, 0.25)


_RESOURCES = (
    ("requests", "sqs.queue"),
    ("responses", "sqs.queue"),
    ("worker", "ec2.instance"),
)


def busy() -> History:
    """Return a lab that is up and halfway through its jobs."""
    before = brought_up()
    history: list[e.Event] = [e.PhaseStarted(phase="jobs"), e.JobsSent(count=200, total=200)]
    for number in range(100):
        if number % 4 == 0:
            left = 200 - number * 2
            history += [
                e.QueueSampled(queue="requests", visible=left, in_flight=10, delayed=0),
                e.QueueSampled(queue="responses", visible=number // 4, in_flight=0, delayed=0),
            ]
        history.append(job(number))
    history.append(job(100, state="failed", answer="\x1b[31mnot [bold]a number"))
    return before + _timed(history, before[-1][0] + 1, 0.1)


def paused() -> History:
    """Return a lab whose credentials ended halfway through its jobs."""
    before = busy()
    history: list[e.Event] = [
        e.CredentialsExpiring(source="profile lab of ~/.aws/credentials", left_s=110.0, about=True),
        e.CredentialsExpired(
            source="profile lab of ~/.aws/credentials",
            why="the credentials have expired",
            remedy="save new keys there, or `labctl creds paste`",
            waits_s=24 * 3600.0,
        ),
    ]
    return before + _timed(history, before[-1][0] + 1, 1.0)


def failed() -> History:
    """Return a lab whose way up ended in a refusal."""
    before = brought_up()[:5]
    history: list[e.Event] = [
        e.StepStarted(step="requests", action="create", resource="requests", kind="sqs.queue"),
        e.StepRetried(step="requests", attempt=1, delay_s=2.0, reason="Throttling: slow down"),
        e.StepFailed(
            step="requests",
            action="create",
            resource="requests",
            message="the target refused sqs:CreateQueue",
            hint="the account lacks the right to make queues",
        ),
        e.Warned(message="nothing was left half made", hint="labctl down numbers"),
    ]
    return before + _timed(history, before[-1][0] + 1, 1.0)


def torn_down() -> History:
    """Return a lab that was used and is gone."""
    before = busy()
    history: list[e.Event] = []
    for name, kind in _RESOURCES:
        history += [
            e.StepStarted(step=name, action="delete", resource=name, kind=kind),
            e.ResourceDeleted(resource=name, kind=kind, name=f"lab-{name}"),
            e.StepFinished(
                step=name,
                action="delete",
                resource=name,
                kind=kind,
                name=f"lab-{name}",
                seconds=0.3,
            ),
        ]
    history += [
        e.SweepMade(sweep=1, found=()),
        e.TeardownProved(
            lab="numbers",
            session="s",
            ok=True,
            deleted=tuple(f"{kind} lab-{name}" for name, kind in _RESOURCES),
            looked_for=("ec2.instance", "sqs.queue"),
            left=(),
            seconds=2.0,
        ),
    ]
    return before + _timed(history, before[-1][0] + 1, 0.2)


def _timed(history: Iterable[e.Event], from_at: float, every_s: float) -> History:
    return [(round(from_at + n * every_s, 3), event) for n, event in enumerate(history)]
