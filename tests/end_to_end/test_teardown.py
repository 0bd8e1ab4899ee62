"""Teardown when something is in its way: lost records, lost files, strangers' things."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import boto3

from tests.contract.endpoints import moto_server
from tests.end_to_end.audit import everything
from tests.end_to_end.conftest import Labctl

LAB = """\
apiVersion: labctl/v1
name: mine
title: A queue and a bucket
resources:
  jobs: {kind: sqs.queue, name: jobs}
  files: {kind: s3.bucket}
"""


def up(labctl: Labctl, *options: str) -> dict[str, str]:
    """Bring the lab up and return what a student's programs get."""
    (labctl.folder / "mine.yaml").write_text(LAB)
    labctl("up", "./mine.yaml", *options)
    return labctl.exports("./mine.yaml")


def client(env: dict[str, str], service: str) -> Any:  # noqa: ANN401 - the type depends on it
    session: Any = boto3.Session(
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"]
    )
    return session.client(service, endpoint_url=env["AWS_ENDPOINT_URL"])


def standing(env: dict[str, str]) -> list[str]:
    keys = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    return everything(*(env[key] for key in keys))


def test_down_while_the_target_is_away_says_what_remains(labctl: Labctl, tmp_path: Path) -> None:
    (labctl.folder / ".aws").mkdir()
    keys = "[default]\naws_access_key_id = somebody\naws_secret_access_key = something\n"
    (labctl.folder / ".aws" / "credentials").write_text(keys)
    with moto_server(tmp_path) as endpoint:
        url = endpoint.target.name
        up(labctl, "--target", url)
    away = labctl("down", "mine", "--yes", ok=False)
    assert away.returncode == 3
    (told,) = [line for line in away.stderr.splitlines() if "still there" in line]
    assert "sqs.queue" in told
    assert "s3.bucket" in told


def test_a_sweep_finds_and_deletes_what_no_session_knows(labctl: Labctl) -> None:
    env = up(labctl)
    assert labctl("sweep").returncode == 0
    shutil.rmtree(labctl.state / "sessions")
    found = labctl("sweep", ok=False)
    assert found.returncode == 4
    assert "sqs.queue" in found.stdout
    assert "s3.bucket" in found.stdout
    assert len(standing(env)) == 2
    assert labctl("sweep", "--delete", ok=False).returncode == 2  # nobody there to be asked
    assert len(standing(env)) == 2
    (swept,) = labctl.json("sweep", "--delete", "--yes")[-1:]
    assert (len(swept["strays"]), swept["left"]) == (2, [])
    assert standing(env) == []


def test_down_works_without_the_lab_file(labctl: Labctl) -> None:
    env = up(labctl)
    (labctl.folder / "mine.yaml").unlink()
    done = labctl("down", "mine", "--yes")
    assert "nothing is left" in done.stdout
    assert standing(env) == []


def test_down_works_with_a_broken_lab_file(labctl: Labctl) -> None:
    env = up(labctl)
    (labctl.folder / "mine.yaml").write_text("resources: [")
    done = labctl("down", "./mine.yaml", "--yes")
    assert "nothing is left" in done.stdout
    assert standing(env) == []


def test_down_works_with_a_broken_catalogue(labctl: Labctl) -> None:
    env = up(labctl)
    (labctl.folder / "labs.yaml").write_text("labs: [")
    done = labctl("down", "mine", "--yes")
    assert "nothing is left" in done.stdout
    assert standing(env) == []


def test_down_of_one_session_spares_another_of_the_same_lab(labctl: Labctl) -> None:
    env = up(labctl)
    labctl("up", "./mine.yaml", "--name", "second")
    shutil.rmtree(labctl.state / "sessions" / "second")
    labctl("down", "./mine.yaml", "--name", "second", "--yes")  # by owner and lab only
    assert len(standing(env)) == 2
    assert len(labctl.json("status")) == 1


def test_down_all_takes_every_session_down(labctl: Labctl) -> None:
    env = up(labctl)
    said = labctl("up", "./mine.yaml", "--name", "second").stdout
    assert "labctl down second" in said  # and not the first one of this lab
    assert len(standing(env)) == 4
    unclear = labctl("check", str(labctl.folder), ok=False)
    assert unclear.returncode == 2
    assert "second" in unclear.stderr
    labctl("down", "--all", "--yes")
    assert standing(env) == []
    assert labctl.json("status") == []
    assert "no lab is up" in labctl("down", "--all").stdout


def test_what_bears_the_name_but_not_our_tags_is_never_touched(labctl: Labctl) -> None:
    env = up(labctl)
    sqs = client(env, "sqs")
    theirs = sqs.create_queue(QueueName="jobs", tags={"owner": "somebody"})["QueueUrl"]
    labctl("down", "mine", "--yes")
    refused = labctl("up", "./mine.yaml", "--plain-names", ok=False)
    assert refused.returncode == 3
    assert "jobs" in refused.stderr
    labctl("down", "./mine.yaml", "--plain-names", "--yes")
    assert standing(env) == [f"queue {theirs}"]


def test_a_bucket_with_versions_and_unfinished_uploads_goes_too(labctl: Labctl) -> None:
    env = up(labctl)
    s3 = client(env, "s3")
    bucket = s3.list_buckets()["Buckets"][0]["Name"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket=bucket, Key="a/b", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="a/b")
    s3.create_multipart_upload(Bucket=bucket, Key="half")
    labctl("down", "mine", "--yes")
    assert standing(env) == []


def test_a_creation_that_was_cut_short_goes_with_its_lines_in_the_lab_file(labctl: Labctl) -> None:
    env = up(labctl)
    ledger = labctl.state / "sessions" / "mine" / "ledger.jsonl"
    records = [json.loads(line) for line in ledger.read_text().splitlines()]
    cut = [each for each in records if (each["resource"], each["did"]) != ("files", "made")]
    ledger.write_text("".join(f"{json.dumps(record)}\n" for record in cut))
    (labctl.folder / "mine.yaml").write_text(LAB[: LAB.index("  files:")])
    labctl("up", "./mine.yaml")
    assert [name.split()[0] for name in standing(env)] == ["queue"]


def test_what_changed_its_kind_or_name_goes_before_its_successor_comes(labctl: Labctl) -> None:
    env = up(labctl, "--plain-names")
    changed = LAB.replace("name: jobs", "name: tasks").replace("s3.bucket", "sqs.queue")
    (labctl.folder / "mine.yaml").write_text(changed)
    (plan,) = [each for each in labctl.json("plan", "./mine.yaml") if each["event"] == "PlanMade"]
    assert {step["resource"]: (step["action"], step["reason"]) for step in plan["steps"]} == {
        "jobs": ("replace", "name: jobs -> tasks"),
        "files": ("replace", "kind: s3.bucket -> sqs.queue"),
    }
    labctl("up", "./mine.yaml")
    names = sorted(name.rsplit("/")[-1] for name in standing(env))
    assert names == ["files", "tasks"]
    labctl("down", "./mine.yaml", "--yes")
    assert standing(env) == []
