"""The end of a session's time: moved, passed, swept; and machines that end with labctl gone."""

from __future__ import annotations

import json
import shutil
import time
from typing import Any

from tests.cloud.running import wait_for
from tests.end_to_end.conftest import Labctl
from tests.end_to_end.test_teardown import client, standing

QUEUE = """\
apiVersion: labctl/v1
name: {name}
title: A queue
resources:
  jobs: {{kind: sqs.queue}}
"""
MACHINE = """\
apiVersion: labctl/v1
name: box
title: A machine
limits: {ttl: 2h}
resources:
  jobs: {kind: sqs.queue}
  box: {kind: ec2.instance}
"""


def states(env: dict[str, str]) -> list[str]:
    """Return the states of all instances that a plain client sees."""
    answer = client(env, "ec2").describe_instances()
    return [
        instance["State"]["Name"]
        for reservation in answer["Reservations"]
        for instance in reservation["Instances"]
    ]


def ends_in_tags(env: dict[str, str]) -> set[str]:
    """Return the ends that the tags of queues, instances, volumes, groups and keys tell."""
    sqs, ec2 = client(env, "sqs"), client(env, "ec2")
    urls = sqs.list_queues().get("QueueUrls", [])
    found = {sqs.list_queue_tags(QueueUrl=url)["Tags"]["labctl:expires"] for url in urls}
    tags = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["labctl:expires"]}])["Tags"]
    assert {tag["ResourceType"] for tag in tags} >= {"instance", "volume"}
    return found | {tag["Value"] for tag in tags}


def end_of(labctl: Labctl, session: str) -> float:
    (shown,) = labctl.json("status", session)
    return float(shown["expires_at"])


def told_machine(labctl: Labctl) -> int:
    """Return the end that the one machine's disk tells."""
    (file,) = labctl.state.glob("cloud/instances/*/var/lib/labctl/ends-at")
    return int(file.read_text())


def set_record(labctl: Labctl, session: str, **fields: Any) -> None:  # noqa: ANN401 - JSON
    file = labctl.state / "sessions" / session / "session.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def test_a_session_ends_when_it_is_told_to(labctl: Labctl) -> None:
    (labctl.folder / "box.yaml").write_text(MACHINE)
    labctl("up", "./box.yaml", "--ttl", "10m")
    env = labctl.exports("box")
    assert 0 < end_of(labctl, "box") - time.time() < 601

    moved = labctl("extend", "box", "1h")
    assert "before:" in moved.stdout
    end = end_of(labctl, "box")
    assert 3500 < end - time.time() < 3601
    assert 0 <= told_machine(labctl) - end <= 1
    assert ends_in_tags(env) == {str(round(end))}

    refused = labctl("extend", "box", "5m", ok=False)  # nobody there to be asked
    assert (refused.returncode, end_of(labctl, "box")) == (2, end)
    assert labctl("up", "box", "--ttl", "5m", ok=False).returncode == 2

    # A machine that is not there to be told is named, and the record keeps the former end.
    (machine,) = labctl.json("status", "box")[0]["machines"]
    client(env, "ec2").stop_instances(InstanceIds=[machine["id"]])
    wait_for(lambda: states(env) == ["stopped"])
    failed = labctl("extend", "box", "2h", ok=False)
    assert failed.returncode == 3
    assert "box.0 (stopped)" in failed.stderr
    assert end_of(labctl, "box") == end

    # `up` starts it again, and moves the end of what stood before.
    labctl("up", "box", "--ttl", "90m")
    assert 0 <= told_machine(labctl) - end_of(labctl, "box") <= 1

    # Every command has ended: nothing of labctl is there but the cloud.
    labctl("extend", "box", "2s", "--yes")
    wait_for(lambda: states(env) == ["terminated"])
    status = labctl("status", "box").stdout
    assert "its time is over" in status
    assert "still there: jobs" in status
    assert "box," not in status.partition("still there:")[2].partition(";")[0]
    assert labctl("scale", "box", "box", "2", ok=False).returncode == 2

    # A machine with an end in the past would end at once: it gets the lab's usual life.
    revived = labctl("up", "box")
    assert "was over" in revived.stderr
    assert 7100 < end_of(labctl, "box") - time.time() < 7201
    assert sorted(states(env)) == ["running", "terminated"]
    assert 0 <= told_machine(labctl) - end_of(labctl, "box") <= 1


def test_a_sweep_takes_down_what_is_over_and_nothing_else(labctl: Labctl) -> None:
    for name in ("over", "alive", "lost"):
        (labctl.folder / f"{name}.yaml").write_text(QUEUE.format(name=name))
        labctl("up", f"./{name}.yaml")
    env = labctl.exports("alive")
    sqs = client(env, "sqs")
    past = str(round(time.time() - 60))
    theirs = {"labctl:session": "theirs12", "labctl:lab": "lost", "labctl:owner": "somebody@else"}
    sqs.create_queue(QueueName="theirs", tags={**theirs, "labctl:expires": past})
    assert "nothing whose time is over" in labctl("sweep", "--expired", "--yes").stdout
    assert len(standing(env)) == 4

    set_record(labctl, "over", expires_at=time.time() - 60)
    shutil.rmtree(labctl.state / "sessions" / "lost")
    (lost,) = [url for url in sqs.list_queues()["QueueUrls"] if "labctl-lost-" in url]
    sqs.tag_queue(QueueUrl=lost, Tags={"labctl:expires": past})
    # Of a session that lives, whatever its tags say: a longer life was told to a part only.
    (living,) = [url for url in sqs.list_queues()["QueueUrls"] if "labctl-alive-" in url]
    sqs.tag_queue(QueueUrl=living, Tags={"labctl:expires": past})

    assert labctl("sweep", "--expired", ok=False).returncode == 2  # nobody there to be asked
    elsewhere = labctl("sweep", "--expired", "--yes", "--target", "http://127.0.0.1:9", ok=False)
    assert elsewhere.returncode == 3
    assert len(standing(env)) == 4

    swept = labctl("sweep", "--expired", "--yes").stdout
    assert "session over on local" in swept
    assert "known by tags only" in swept
    assert swept.count("nothing is left") == 2  # the proof of each
    assert sorted(name.rpartition("/")[2].split("-")[1:2] for name in standing(env)) == [
        [],
        ["alive"],
    ]
    assert [each["session"] for each in labctl.json("status")] == ["alive"]


def test_a_plan_that_does_not_fit_is_refused_before_its_first_call(labctl: Labctl) -> None:
    (labctl.folder / "slow.yaml").write_text(QUEUE.format(name="slow"))
    labctl("cloud", "start")
    endpoint = json.loads(labctl("cloud", "status", "--json").stdout)["endpoint"]
    # Any process of the same machine may use the cloud by its address, with keys that end.
    labctl("up", "./slow.yaml")
    env = labctl.exports("slow")
    labctl("down", "slow", "--yes")
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
    (labctl.folder / ".aws").mkdir()
    (labctl.folder / ".aws" / "credentials").write_text(
        f"[default]\naws_access_key_id = {env['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {env['AWS_SECRET_ACCESS_KEY']}\n"
        f"aws_credential_expiration = {ends}\n"
    )
    # As if a queue had taken 40 min there, and its end no time.
    slow = {"sqs.queue create": [2400], "sqs.queue delete": [0.1]}
    (labctl.state / "durations.json").write_text(json.dumps({"seconds": {endpoint: slow}}))

    assert "takes about 40 min" in labctl("plan", "./slow.yaml", "--target", endpoint).stdout
    refused = labctl("up", "./slow.yaml", "--target", endpoint, ok=False)
    assert refused.returncode == 3
    assert "this needs about 40 min, the credentials end in 10 min" in refused.stderr
    assert "labctl creds paste" in refused.stderr
    assert standing(env) == []

    # Keys without an end, and a session that is too short.
    (labctl.folder / ".aws" / "credentials").write_text(
        f"[default]\naws_access_key_id = {env['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {env['AWS_SECRET_ACCESS_KEY']}\n"
    )
    brief = labctl("up", "./slow.yaml", "--target", endpoint, "--ttl", "10m", ok=False)
    assert "this needs about 40 min, the session ends in 10 min" in brief.stderr
    assert standing(env) == []

    forced = labctl("up", "./slow.yaml", "--target", endpoint, "--ttl", "10m", "--force")
    assert "this needs about 40 min" in forced.stderr
    assert len(standing(env)) == 1
    measured = json.loads((labctl.state / "durations.json").read_text())["seconds"][endpoint]
    assert measured["sqs.queue create"][0] == 2400
    assert 0 < measured["sqs.queue create"][1] < 60
    labctl("down", "slow", "--yes")
    assert standing(env) == []
