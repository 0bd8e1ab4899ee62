"""A student account's limits hold, whoever else runs things in it; and its sessions may end."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from labctl.cloud.launch import ensure_started
from labctl.engine.choices import Choices
from labctl.engine.machines import machines_of, refreshed
from labctl.errors import LimitError
from labctl.session import Session
from labctl.targets.base import Moment
from tests.cloud.running import IMAGE, wait_for
from tests.end_to_end.audit import everything
from tests.end_to_end.conftest import Labctl

LAB = """\
apiVersion: labctl/v1
name: fleet
title: A queue and machines
params:
  machines: {type: integer, default: 2, min: 1, max: 20}
  type: {type: string, default: t3.micro}
resources:
  requests: {kind: sqs.queue}
  worker: {kind: ec2.instance, count: "${params.machines}", type: "${params.type}"}
"""
GREEDY = """\
apiVersion: labctl/v1
name: greedy
title: A lab that breaks every limit
resources:
  requests: {kind: sqs.queue}
  rights: {kind: iam.instance_profile, allow: [sqs:ReceiveMessage], resources: [requests]}
  worker: {kind: ec2.instance, count: 12, type: m5.2xlarge, disk: 60GiB}
"""
GATED = '''
"""The worker of the lab; after a first few jobs each waits until the gate is there."""

import sys
import threading
from pathlib import Path

from job_runtime import Job, Outcome, run_worker
from numbers_worker.four_figures import work

GATE = Path("GATE")
begun = []


def work_behind_gate(job: Job) -> Outcome:
    begun.append(job)
    while len(begun) > 20 and not GATE.exists():
        threading.Event().wait(0.05)
    return work(job)


if __name__ == "__main__":
    sys.exit(run_worker(work_behind_gate))
'''
SMALL = """\
apiVersion: labctl/v1
name: small
title: A small account
as_of: 2025-06-24
source: https://example.org/limits
regions: [us-east-1]
instances: {sizes: [micro], running: 3, vcpus: 8}
volumes: {types: [gp3], largest: 50GiB}
iam: {create: false}
exists: {instance_profile: LabInstanceProfile}
"""


@pytest.fixture(scope="module")
def labctl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labctl]:
    """The command with one cloud for all tests here; each takes down what it brought up."""
    base = tmp_path_factory.mktemp("limits")
    folder = base / "home"
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles" / "small.yaml").write_text(SMALL)
    (folder / "fleet.yaml").write_text(LAB)
    (folder / "greedy.yaml").write_text(GREEDY)
    for name in ("learner-lab", "small"):
        text = f"apiVersion: labctl/v1\ndefaults: {{limits: {name}}}\n"
        (folder / f"{name}.yaml").write_text(text)
    abroad = "apiVersion: labctl/v1\ndefaults: {limits: small, region: eu-west-1}\n"
    (folder / "abroad.yaml").write_text(abroad)
    runner = Labctl(state=base / "state", folder=folder)
    runner("cloud", "start", "--tier", "plain")  # one agent here waits for a file of the tests
    yield runner
    runner("down", "--all", "--yes", ok=False)
    runner("cloud", "stop", ok=False)


@pytest.fixture(scope="module")
def keys(labctl: Labctl) -> Iterator[tuple[str, str, str]]:
    """The cloud's endpoint and keys; the state folder is set for sessions in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABCTL_STATE", str(labctl.state))
        cloud = ensure_started(labctl.state)
        yield cloud.endpoint, cloud.access_key, cloud.secret_key


@pytest.fixture(scope="module")
def ec2(keys: tuple[str, str, str]) -> Any:  # noqa: ANN401 - boto3's client
    """A plain client, as a stranger to labctl uses one."""
    endpoint, access_key, secret_key = keys
    return boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
    )


def fleet(
    labctl: Labctl,
    machines: int,
    *,
    limits: str = "small",
    storm: Storm | None = None,
    **settings: str,
) -> Session:
    """Return a session of the lab, in this process."""
    return Session(
        str(labctl.folder / "fleet.yaml"),
        Choices(
            settings={"machines": str(machines), **settings},
            catalogue_file=labctl.folder / f"{limits}.yaml",
            on_call=storm,
        ),
    )


@contextmanager
def taken_down(session: Session) -> Iterator[Session]:
    try:
        yield session
    finally:
        assert session.down().ok


@contextmanager
def strangers(ec2: Any, count: int) -> Iterator[list[str]]:  # noqa: ANN401 - boto3's client
    """Let instances run that labctl knows nothing of."""
    answer = ec2.run_instances(ImageId=IMAGE, MinCount=count, MaxCount=count)
    ids = [each["InstanceId"] for each in answer["Instances"]]
    try:
        yield ids
    finally:
        ec2.terminate_instances(InstanceIds=ids)
        wait_for(lambda: not set(ids) & set(running(ec2)))


def machines(session: Session) -> Sequence[Mapping[str, Any]]:
    worker = session.seen()["worker"]
    assert worker is not None
    return worker.members


def running(ec2: Any) -> list[str]:  # noqa: ANN401 - boto3's client
    return [
        instance["InstanceId"]
        for reservation in ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
        if instance["State"]["Name"] in ("pending", "running")
    ]


def refused(labctl: Labctl, *arguments: str) -> str:
    done = labctl(*arguments, ok=False)
    assert done.returncode == 3, done.stdout + done.stderr
    return done.stderr


def test_a_lab_of_ten_is_refused_before_anything_is_made(
    labctl: Labctl, keys: tuple[str, str, str]
) -> None:
    lab = ("./fleet.yaml", "--labs", "learner-lab.yaml", "--set", "machines=10")
    told = "running instances: the lab needs 10, learner-lab allows 9 in us-east-1"
    assert told in refused(labctl, "run", *lab)
    assert everything(*keys) == []
    shown = labctl("plan", *lab)
    assert f"warning: {told}" in shown.stderr
    assert "\nlimits: learner-lab (as of 2025-06-24): " in shown.stdout


def test_what_others_run_is_counted(labctl: Labctl, ec2: Any) -> None:  # noqa: ANN401 - boto3's
    told = "the lab needs 3 more, 7 run already, learner-lab allows 9 in us-east-1"
    with strangers(ec2, 7) as ids:
        with pytest.raises(LimitError, match=told):
            fleet(labctl, 3, limits="learner-lab").up()
        assert set(running(ec2)) == set(ids)


def test_every_broken_limit_is_told_at_once(labctl: Labctl, keys: tuple[str, str, str]) -> None:
    told = refused(labctl, "up", "./greedy.yaml", "--labs", "abroad.yaml").splitlines()
    assert [line.removeprefix("  - ") for line in told if line.startswith("  - ")] == [
        "region: eu-west-1, small allows us-east-1",
        "running instances: the lab needs 12, small allows 3 in eu-west-1",
        "vCPUs: the lab needs 96, small allows 8 in eu-west-1",
        "rights: small allows no new roles and instance profiles; "
        "name the one that exists: {existing: LabInstanceProfile}",
        "worker: type m5.2xlarge, small allows the sizes micro",
        "worker: disk of 60 GiB, small allows 50 GiB",
    ]
    assert everything(*keys) == []


def test_machines_that_stay_are_counted_once(
    labctl: Labctl,
    ec2: Any,  # noqa: ANN401 - boto3's client
) -> None:
    told = "the lab needs 2 more, 2 run already, small allows 3 in us-east-1"
    with taken_down(fleet(labctl, 2)) as session:
        session.up()
        with pytest.raises(LimitError, match=told):
            session.scale("worker", 4)
        assert len(running(ec2)) == 2
        fleet(labctl, 2).scale("worker", 3)
        assert fleet(labctl, 3).up().changed == 0  # as many as are allowed stand, and stay
        assert len(running(ec2)) == 3


def test_machines_that_end_first_make_room_and_stopped_ones_need_some(
    labctl: Labctl,
    ec2: Any,  # noqa: ANN401 - boto3's client
) -> None:
    with taken_down(fleet(labctl, 2)) as session:
        session.up()
        with strangers(ec2, 1):
            assert fleet(labctl, 2, type="t2.micro").up().changed == 1  # replaced: 3 of 3
            (stopped, *_) = own = [each["InstanceId"] for each in machines(session)]
            assert set(own) <= set(running(ec2))
            ec2.stop_instances(InstanceIds=[stopped])
            ec2.get_waiter("instance_stopped").wait(
                InstanceIds=[stopped], WaiterConfig={"Delay": 1}
            )
            with strangers(ec2, 1):
                told = "the lab needs 1 more, 3 run already, small allows 3"
                with pytest.raises(LimitError, match=told):
                    fleet(labctl, 2).up()
            fleet(labctl, 2).up()
            assert set(own) <= set(running(ec2))


class Storm:
    """Fails launches, and notes how many instances run before and after each of them.

    So many calls fail before they arrive, and then so many answers are lost; `strangers` are
    instances of others that appear at the first call.
    """

    def __init__(
        self,
        ec2: Any,  # noqa: ANN401 - boto3's client
        *,
        calls: int = 0,
        answers: int = 0,
        strangers: int = 0,
    ) -> None:
        self._ec2, self._strangers = ec2, strangers
        self.left = {"before": calls, "after": answers}
        self.ran: list[int] = []

    def __call__(self, service: str, operation: str, moment: Moment) -> None:
        if operation != "RunInstances":
            return
        if self._strangers:
            count, self._strangers = self._strangers, 0
            self._ec2.run_instances(ImageId=IMAGE, MinCount=count, MaxCount=count)
        self.ran.append(len(running(self._ec2)))
        if self.left[moment] and (moment == "before" or self.ran[-1]):
            self.left[moment] -= 1
            raise EndpointConnectionError(endpoint_url="the storm")


def test_a_storm_of_retries_launches_no_more_than_asked(labctl: Labctl, ec2: Any) -> None:  # noqa: ANN401 - boto3's
    storm = Storm(ec2, calls=2, answers=1)
    with taken_down(fleet(labctl, 3, storm=storm)) as session:
        session.up()
        assert set(storm.left.values()) == {0}, "the storm did not come"
        assert max(storm.ran) == len(running(ec2)) == 3


def test_a_launch_that_is_tried_again_asks_again_who_runs(labctl: Labctl, ec2: Any) -> None:  # noqa: ANN401 - boto3's
    storm = Storm(ec2, calls=9, strangers=1)
    told = "running instances: worker needs 3 more, 1 run already, small allows 3 in us-east-1"
    try:
        with taken_down(fleet(labctl, 3, storm=storm)) as session:
            with pytest.raises(LimitError, match=told):
                session.up()
            assert len(running(ec2)) == 1
    finally:
        ec2.terminate_instances(InstanceIds=running(ec2))
        wait_for(lambda: not running(ec2))


@contextmanager
def occupied(places: Sequence[tuple[str, int]]) -> Iterator[None]:
    """Hold ports, so that what listened there has to listen elsewhere."""
    with ExitStack() as held:
        for place in places:
            holder = held.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            wait_for(partial(bound, holder, place))
        yield


def bound(holder: socket.socket, place: tuple[str, int]) -> bool:
    try:
        holder.bind(place)
    except OSError:
        return False
    holder.listen()
    return True


def places(labctl: Labctl) -> list[tuple[str, int]]:
    """Return where the lab's machines are now."""
    with Session(str(labctl.folder / "slow"), Choices()).standing() as stage:
        machines = machines_of(refreshed(stage, "worker"), "worker")
        return [(each.address, each.port) for each in machines]


def test_jobs_go_on_after_the_account_stopped_and_started_its_instances(
    labctl: Labctl,
    ec2: Any,  # noqa: ANN401 - boto3's client
) -> None:
    labctl("new", "slow")
    gate = labctl.folder / "gate"
    program = labctl.folder / "slow/remote/numbers_worker/__main__.py"
    program.write_text(GATED.replace('GATE")', f'{gate}")'))
    options = ("--set", "jobs=100", "--set", "workers=2", "--labs", "learner-lab.yaml")
    with labctl.started("run", "./slow", *options, "--json") as run:
        assert run.stdout is not None
        events = (json.loads(line) for line in run.stdout)
        next(event for event in events if event["event"] == "JobFinished")
        ids, before = running(ec2), places(labctl)
        follower = labctl.started("logs", "./slow", "worker.0", "-f")
        assert follower.stdout is not None
        assert next(follower.stdout).startswith("worker.0 numbers: ")
        ec2.stop_instances(InstanceIds=ids)
        ec2.get_waiter("instance_stopped").wait(InstanceIds=ids, WaiterConfig={"Delay": 1})
        with occupied(before):
            ec2.start_instances(InstanceIds=ids)
            ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig={"Delay": 1})
            gate.touch()
            *rest, last = events
            after = places(labctl)
            assert follower.stderr is not None
            assert any("worker.0 is back at" in line for line in follower.stderr)
            follower.send_signal(signal.SIGINT)
            follower.communicate()
            states = labctl("exec", "./slow", "worker", "--", "systemctl is-active labctl-numbers")
    assert (last["ok"], last["jobs"]) == (
        True,
        {"submitted": 100, "done": 100, "failed": 0, "lost": 0, "duplicated": 0},
    )
    assert not set(before) & set(after)
    assert sorted(states.stdout.splitlines()) == ["worker.0: active", "worker.1: active"]
    labctl("down", "./slow", "--yes")
