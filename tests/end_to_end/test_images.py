"""The images lab by the real command: run, its client's actions, pictures in a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from PIL import Image

from tests.end_to_end.conftest import Labctl


def exports(labctl: Labctl) -> dict[str, str]:
    found: dict[str, str] = json.loads(labctl("env", "images", "--json").stdout)
    return found


def client(labctl: Labctl, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
    env = exports(labctl)
    session: Any = boto3.Session(
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"]
    )
    return session.client(service, endpoint_url=env["AWS_ENDPOINT_URL"])


def test_a_run_processes_a_drawn_set_and_each_result_is_shown(labctl: Labctl) -> None:
    done = labctl("run", "images")
    assert "12 submitted, 12 done, 0 failed, 0 lost, 0 duplicated" in done.stdout
    assert done.stderr.count(" done in ") >= 12
    listed = labctl.json("images", "list", "--processed")
    assert len(listed) == 12
    shown = labctl("show", "images", listed[0]["name"])
    assert "before 320 x 240, after 320 x 240" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert labctl.json("down", "images", "--yes")[-1]["left"] == []


def test_pictures_go_up_are_processed_and_come_back(labctl: Labctl) -> None:
    Image.new("RGB", (200, 100), "orange").save(labctl.folder / "mine.jpg", quality=90)
    (labctl.folder / "text.png").write_text("no picture")
    labctl("up", "images")
    labctl("images", "upload", "mine.jpg", "text.png")
    assert [each["name"] for each in labctl.json("images", "list")] == ["mine.jpg", "text.png"]
    asked = ("images", "process", "mine.jpg", "text.png", "none.png", "--op", "thumbnail")
    answers = {line["body"]: line for line in labctl.json(*asked, ok=False)}
    assert answers["mine.jpg"]["state"] == "done"
    for name in ("text.png", "none.png"):
        assert answers[name]["state"] == "failed"
        assert answers[name]["text"].startswith("?Error. ")
    assert labctl(*asked, ok=False).returncode == 1
    labctl("images", "download", "mine.jpg", "--to", "out")
    with Image.open(labctl.folder / "out" / "mine.jpg") as processed:
        assert (processed.format, processed.size) == ("JPEG", (128, 64))
    refused = labctl("images", "download", "mine.jpg", ok=False)
    assert (refused.returncode, "there already" in refused.stderr) == (2, True)


def test_an_original_client_gets_its_picture_with_plain_names(labctl: Labctl) -> None:
    labctl("up", "images", "--plain-names")
    bucket = exports(labctl)["LAB_PICTURES"]
    sqs, s3 = client(labctl, "sqs"), client(labctl, "s3")
    file = labctl.folder / "p.png"
    Image.new("RGB", (40, 40), (200, 120, 40)).save(file)
    s3.put_object(Bucket=bucket, Key="images/unprocessed/p.png", Body=file.read_bytes())
    inbox = sqs.get_queue_url(QueueName="imageInbox")["QueueUrl"]
    outbox = sqs.get_queue_url(QueueName="imageOutbox")["QueueUrl"]
    for name, answer in (("p.png", "p.png"), ("nope.png", "?Error. ")):
        sqs.send_message(QueueUrl=inbox, MessageBody=name)
        (reply,) = sqs.receive_message(QueueUrl=outbox, WaitTimeSeconds=20)["Messages"]
        assert reply["Body"].startswith(answer)
        sqs.delete_message(QueueUrl=outbox, ReceiptHandle=reply["ReceiptHandle"])
    body = s3.get_object(Bucket=bucket, Key="images/processed/p.png")["Body"]
    with Image.open(body) as processed:
        assert (processed.format, processed.mode) == ("PNG", "1")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("images",), "Commands"),
        (("images", "process"), "NAME..."),
        (("images", "process", "x.png", "--op", "nonsense"), "nonsense"),
        (("images", "nonsense"), "nonsense"),
        (("images", "upload", "absent.png"), "not up"),
        (("numbers", "upload"), "declares no actions"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_wrong_action_is_told(labctl: Labctl, arguments: tuple[str, ...], says: str) -> None:
    done = labctl(*arguments, ok=False)
    assert done.returncode in (0, 2)
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_lab_is_a_model_for_a_lab_of_ones_own(labctl: Labctl) -> None:
    labctl("new", "mine", "--from", "images")
    assert (Path(labctl.folder) / "mine" / "remote" / "images_worker" / "__main__.py").exists()
    assert "process" in labctl("./mine", "--help").stdout
