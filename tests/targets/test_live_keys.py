"""Keys that end, on a real cloud that ends them: calls wait, go on, and lose nothing."""

from __future__ import annotations

import json
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError

from labctl import events as e
from labctl.cloud.session_mode import end_sessions, issue_session
from labctl.errors import CredentialsError, Interrupted, LabctlError
from labctl.targets.base import KeyWait
from labctl.targets.endpoint import EndpointTarget
from labctl.targets.failures import classify
from labctl.targets.key_ends import KeyEnds
from labctl.targets.key_sources import ChainKeys
from labctl.targets.live_keys import LiveKeys
from tests.cloud.running import Cloud, academy_cloud, wait_for


@pytest.fixture(scope="module")
def academy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud in session mode; every test begins with keys of its own that live."""
    with academy_cloud(tmp_path_factory.mktemp("academy")) as running:
        running.client("s3").create_bucket(Bucket="kept")
        running.client("s3").put_object(Bucket="kept", Key="a", Body=b"content")
        yield running


class Student:
    """A person with a credentials file and a target that follows it."""

    def __init__(self, academy: Cloud, folder: Path) -> None:
        self.academy = academy
        self.file = folder / "credentials"
        self.told: list[e.Event] = []
        self.cancelled = threading.Event()
        self.save()

    def save(self) -> None:
        """Save fresh keys, as an editor does."""
        self.file.write_text(issue_session(self.academy.state).block())

    def target(self, *, waits_s: float = 60.0) -> EndpointTarget:
        wait = KeyWait(waits_s, self.cancelled, self.told.append)
        return EndpointTarget(self.academy.info.endpoint, wait=wait)

    def told_of(self, kind: type[e.Event]) -> int:
        return sum(isinstance(event, kind) for event in self.told)

    def is_told(self, kind: type[e.Event], times: int) -> None:
        wait_for(lambda: self.told_of(kind) == times)


@pytest.fixture
def student(academy: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Student:
    made = Student(academy, tmp_path)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(made.file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("LABCTL_STATE", str(tmp_path / "state"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return made


def test_six_services_live_through_two_ends_and_half_a_file(
    academy: Cloud, student: Student
) -> None:
    target, stop = student.target(), threading.Event()
    counts = dict.fromkeys(("sqs", "s3", "ec2", "dynamodb", "sts", "iam"), 0)
    calls: dict[str, Callable[[], object]] = {
        "sqs": target.client("sqs").list_queues,
        "s3": lambda: target.client("s3").head_object(Bucket="kept", Key="a"),
        "ec2": target.client("ec2").describe_key_pairs,
        "dynamodb": target.client("dynamodb").list_tables,
        "sts": target.client("sts").get_caller_identity,
        "iam": target.client("iam").list_roles,
    }

    def work(service: str) -> None:
        while not stop.wait(0.02):
            calls[service]()
            counts[service] += 1

    def all_go_on() -> None:
        before = dict(counts)
        wait_for(lambda: all(counts[each] > before[each] for each in counts))

    with ThreadPoolExecutor(6) as pool:
        ended = [pool.submit(work, service) for service in counts]
        try:
            for times in (1, 2):
                all_go_on()
                end_sessions(academy.state)
                student.is_told(e.CredentialsExpired, times)
                block = issue_session(academy.state).block()
                student.file.write_text(block[: block.index("aws_session_token")])
                student.is_told(e.Warned, times)
                student.file.write_text(block)
                all_go_on()
                assert student.told_of(e.CredentialsRenewed) == times
        finally:
            stop.set()
            student.cancelled.set()
    assert [each.exception() for each in ended] == [None] * 6


def test_half_a_file_changes_nothing_and_is_told(student: Student) -> None:
    target = student.target()
    sts = target.client("sts")
    before = target.keys_report().key
    block = issue_session(student.academy.state).block()
    student.file.write_text(block[: block.index("aws_session_token")])
    sts.get_caller_identity()
    assert target.keys_report().key == before
    (warned,) = [event for event in student.told if isinstance(event, e.Warned)]
    assert "the former keys stay" in warned.message
    student.file.write_text(block)
    wait_for(lambda: sts.get_caller_identity() and target.keys_report().key != before)


def test_keys_that_are_not_accepted_change_nothing(student: Student) -> None:
    target = student.target()
    sts, before = target.client("sts"), target.keys_report().key
    good = student.file.read_text()
    student.file.write_text(good.replace("aws_session_token=", "aws_session_token=x"))
    sts.get_caller_identity()
    wait_for(lambda: sts.get_caller_identity() and student.told_of(e.Warned) > 0)
    assert target.keys_report().key == before


def test_keys_of_another_account_are_refused(tmp_path: Path) -> None:
    file, told = tmp_path / "credentials", list[e.Event]()
    accounts = {"ASIAMINE": "111111111111", "ASIAOTHER": "222222222222"}

    def prove(keys: ReadOnlyCredentials) -> str:
        return accounts[keys.access_key or ""]

    def save(key: str) -> None:
        file.write_text(
            f"[default]\naws_access_key_id={key}\naws_secret_access_key=x\naws_session_token=y\n"
        )

    save("ASIAMINE")
    ends = KeyEnds(tmp_path / "ends.json")
    keys = LiveKeys(ChainKeys(file=file), prove=prove, ends=ends, wait=KeyWait(tell=told.append))
    assert keys.access_key == "ASIAMINE"
    keys.account = "111111111111"
    save("ASIAOTHER")
    assert keys.access_key == "ASIAMINE"
    (warned,) = told
    assert isinstance(warned, e.Warned)
    assert "of account 222222222222, not of 111111111111" in warned.message


def test_a_bare_400_of_a_head_waits_when_the_keys_are_dead(
    academy: Cloud, student: Student
) -> None:
    s3 = student.target().client("s3")
    s3.head_object(Bucket="kept", Key="a")
    end_sessions(academy.state)
    with ThreadPoolExecutor(1) as pool:
        head = pool.submit(s3.head_object, Bucket="kept", Key="a")
        student.is_told(e.CredentialsExpired, 1)
        student.save()
        assert head.result(30)["ContentLength"] == 7


def test_an_upload_in_parts_crosses_an_end(academy: Cloud, student: Student) -> None:
    s3 = student.target().client("s3")
    upload = s3.create_multipart_upload(Bucket="kept", Key="big")["UploadId"]
    parts = []
    with ThreadPoolExecutor(1) as pool:
        for number in (1, 2):
            part = pool.submit(
                s3.upload_part,
                Bucket="kept",
                Key="big",
                UploadId=upload,
                PartNumber=number,
                Body=bytes(5 * 2**20),
            )
            if number == 2:
                student.is_told(e.CredentialsExpired, 1)
                student.save()
            parts.append({"PartNumber": number, "ETag": part.result(30)["ETag"]})
            end_sessions(academy.state)
        student.save()
        s3.complete_multipart_upload(
            Bucket="kept", Key="big", UploadId=upload, MultipartUpload={"Parts": parts}
        )
    assert s3.head_object(Bucket="kept", Key="big")["ContentLength"] == 10 * 2**20


def test_who_does_not_wait_gets_the_error(academy: Cloud, student: Student) -> None:
    sqs = student.target(waits_s=0).client("sqs")
    sqs.list_queues()
    end_sessions(academy.state)
    with pytest.raises(ClientError) as raised:
        sqs.list_queues()
    assert isinstance(classify(raised.value).error, CredentialsError)
    assert student.told == []


def test_the_wait_has_an_end(academy: Cloud, student: Student) -> None:
    sqs = student.target(waits_s=0.3).client("sqs")
    end_sessions(academy.state)
    with pytest.raises(CredentialsError) as raised:
        sqs.list_queues()
    assert raised.value.exit_status == 3
    assert "no new ones came" in raised.value.message
    assert "labctl creds paste" in raised.value.hint


def test_the_wait_can_be_cancelled(academy: Cloud, student: Student) -> None:
    sqs = student.target().client("sqs")
    end_sessions(academy.state)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sqs.list_queues)
        student.is_told(e.CredentialsExpired, 1)
        student.cancelled.set()
        with pytest.raises(Interrupted):
            waiting.result(30)


def test_keys_of_the_environment_are_not_waited_for_but_named(
    academy: Cloud, student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = issue_session(academy.state)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token)
    end_sessions(academy.state)
    with pytest.raises(LabctlError) as raised:
        student.target().account()
    assert "AWS_ACCESS_KEY_ID of the environment wins over profile default" in raised.value.hint
    report = student.target().keys_report()
    assert "AWS_ACCESS_KEY_ID" in report.source
    assert report.why


def test_a_left_over_token_is_named_with_its_line(student: Student) -> None:
    student.file.write_text(student.file.read_text() + "aws_security_token=stale\n")
    with pytest.raises(LabctlError) as raised:
        student.target().account()
    assert "credentials:5: a left-over aws_security_token" in raised.value.hint


def test_pasted_keys_are_proved_before_they_are_saved(academy: Cloud, student: Student) -> None:
    target = student.target()
    target.account()
    dead = issue_session(academy.state).block()
    end_sessions(academy.state)
    before = student.file.read_text()
    with pytest.raises(CredentialsError):
        target.save_keys(dead, minutes_left=None, account="")
    with pytest.raises(CredentialsError):
        target.save_keys(
            issue_session(academy.state).block(), minutes_left=None, account="999999999999"
        )
    assert student.file.read_text() == before
    target.save_keys(
        issue_session(academy.state).block(), minutes_left=90, account=target.account()
    )
    assert stat.S_IMODE(student.file.stat().st_mode) == 0o600
    end = target.credentials_end()
    assert end is not None
    assert 85 * 60 < end - time.time() <= 90 * 60
    assert target.keys_report().about


def test_a_process_that_gives_keys_is_asked_again_when_they_are_dead(
    academy: Cloud, student: Student, tmp_path: Path
) -> None:
    answer, program = tmp_path / "answer.json", tmp_path / "give.py"

    def issue() -> None:
        keys = issue_session(academy.state)
        answer.write_text(
            json.dumps(
                {
                    "Version": 1,
                    "AccessKeyId": keys.access_key,
                    "SecretAccessKey": keys.secret_key,
                    "SessionToken": keys.token,
                    "Expiration": "2100-01-01T00:00:00Z",
                }
            )
        )

    issue()
    program.write_text(f"print(open({str(answer)!r}).read())")
    student.file.unlink()
    (tmp_path / "config").write_text(
        f"[default]\ncredential_process = {sys.executable} {program}\n"
    )
    sqs = student.target().client("sqs")
    sqs.list_queues()
    end_sessions(academy.state)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sqs.list_queues)
        student.is_told(e.CredentialsExpired, 1)
        issue()
        waiting.result(30)
    (expired,) = [event for event in student.told if isinstance(event, e.CredentialsExpired)]
    assert expired.source == "the credential_process of profile default"
