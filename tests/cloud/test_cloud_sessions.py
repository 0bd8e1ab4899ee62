"""Session mode on a real cloud: keys expire as those of an AWS Academy lab do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from labctl.cloud import launch
from labctl.cloud.session_keys import SessionKeys
from labctl.cloud.session_mode import (
    end_sessions,
    issue_session,
    session_mode,
    set_session_ttl,
)
from labctl.errors import TargetError
from tests.cloud.running import ACADEMY_TTL_S, Cloud, academy_cloud, wait_for
from tests.end_to_end.conftest import Labctl

BUCKET = "kept"


@pytest.fixture(scope="module")
def academy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud in session mode; a test that changes the mode puts it back."""
    with academy_cloud(tmp_path_factory.mktemp("academy")) as running:
        running.client("s3").create_bucket(Bucket=BUCKET)
        running.client("s3").put_object(Bucket=BUCKET, Key="a", Body=b"content")
        yield running
    assert running.processes() == []


def client(cloud: Cloud, service: str, keys: SessionKeys, token: str | None = None) -> Any:  # noqa: ANN401 - the type depends on the service
    """A plain boto3 client with session keys, as a student's program makes it."""
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=cloud.info.endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token if token is None else token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def refusal(cloud: Cloud, service: str, operation: str, keys: SessionKeys, **options: str) -> Any:  # noqa: ANN401 - boto3's answer
    """Return the answer to a call that must be refused."""
    with pytest.raises(ClientError) as refused:
        getattr(client(cloud, service, keys), operation)(**options)
    return refused.value.response


CALLS = [
    ("s3", "list_objects_v2", {"Bucket": BUCKET}, "ExpiredToken", 400),
    ("s3", "head_object", {"Bucket": BUCKET, "Key": "a"}, "400", 400),
    ("sqs", "list_queues", {}, "ExpiredToken", 403),
    ("ec2", "describe_instances", {}, "RequestExpired", 400),
    ("dynamodb", "list_tables", {}, "ExpiredTokenException", 400),
    ("ssm", "describe_parameters", {}, "ExpiredTokenException", 400),
    ("lambda", "list_functions", {}, "ExpiredTokenException", 403),
    ("sts", "get_caller_identity", {}, "ExpiredToken", 403),
    ("iam", "list_roles", {}, "ExpiredToken", 403),
]


@pytest.mark.parametrize(("service", "operation", "options", "code", "status"), CALLS)
def test_each_service_says_in_its_own_words_that_keys_are_expired(
    academy: Cloud, service: str, operation: str, options: dict[str, str], code: str, status: int
) -> None:
    keys = issue_session(academy.state)
    served = getattr(client(academy, service, keys), operation)(**options)["ResponseMetadata"]
    end_sessions(academy.state)
    answer = refusal(academy, service, operation, keys, **options)
    refused = answer["ResponseMetadata"]
    assert (answer["Error"]["Code"], refused["HTTPStatusCode"]) == (code, status)
    for said in (served, refused):  # by which a client tells a wrong clock from expired keys
        date = parsedate_to_datetime(said["HTTPHeaders"]["date"]).timestamp()
        assert abs(date - time.time()) < 5


def test_the_old_query_protocol_of_sqs_is_answered_in_xml(academy: Cloud) -> None:
    keys = issue_session(academy.state)
    end_sessions(academy.state)
    scope = f"{keys.access_key}/20260101/us-east-1/sqs/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, Signature=x",
        "X-Amz-Security-Token": keys.token,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    request = Request(academy.info.endpoint, b"Action=ListQueues", headers)
    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=10)
    assert refused.value.code == 403
    assert b"<Code>ExpiredToken</Code>" in refused.value.read()


def test_keys_expire_by_themselves_when_their_time_is_up(academy: Cloud) -> None:
    set_session_ttl(academy.state, 1.0)
    try:
        keys = issue_session(academy.state)
        sqs = client(academy, "sqs", keys)
        sqs.list_queues()

        def expired() -> bool:
            try:
                sqs.list_queues()
            except ClientError as error:
                return bool(error.response["Error"]["Code"] == "ExpiredToken")
            return False

        wait_for(expired, deadline_s=10)
        assert 0 <= time.time() - keys.expires_at < 5
    finally:
        set_session_ttl(academy.state, ACADEMY_TTL_S)


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("sqs", "list_queues", "UnrecognizedClientException"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("ec2", "describe_instances", "AuthFailure"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
    ],
)
def test_keys_with_another_token_or_none_are_invalid_not_expired(
    academy: Cloud, service: str, operation: str, code: str
) -> None:
    keys, other = issue_session(academy.state), issue_session(academy.state)
    getattr(client(academy, service, keys), operation)()  # the emulator knows the key from now on
    for token in (other.token, keys.token[:-4] + "AAAA", "", "nonsense"):
        with pytest.raises(ClientError) as refused:
            getattr(client(academy, service, keys, token), operation)()
        assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_lives_as_long_as_its_keys(academy: Cloud, version: str) -> None:
    keys = issue_session(academy.state)
    s3: Any = boto3.client(
        "s3",
        endpoint_url=academy.info.endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
        config=Config(signature_version=version),
    )
    urls = {
        method: s3.generate_presigned_url(call, Params={"Bucket": BUCKET, "Key": "a"})
        for method, call in (("GET", "get_object"), ("HEAD", "head_object"))
    }

    def answer(method: str, url: str) -> tuple[int, bytes]:
        try:
            with urlopen(Request(url, method=method), timeout=10) as found:
                return found.status, found.read()
        except HTTPError as error:
            return error.code, error.read()

    assert answer("GET", urls["GET"]) == (200, b"content")
    assert answer("HEAD", urls["HEAD"]) == (200, b"")
    parts = urls["GET"].split("&")
    bare = "&".join(part for part in parts if "security-token" not in part.lower())
    assert answer("GET", bare)[0] == 403
    end_sessions(academy.state)
    status, body = answer("GET", urls["GET"])
    assert (status, b"<Code>ExpiredToken</Code>" in body) == (400, True)
    assert keys.token.encode() not in body
    assert answer("HEAD", urls["HEAD"]) == (400, b"")


def test_a_stop_and_a_start_change_nothing_and_instances_need_no_session(academy: Cloud) -> None:
    dead = issue_session(academy.state)
    end_sessions(academy.state)
    alive = issue_session(academy.state)
    (number,) = academy.launch()
    academy.place(number)
    try:
        end_of_last, file = session_mode(academy.state), academy.layout.session_file.read_bytes()
        launch.stop(academy.state)
        assert launch.ensure_started(academy.state).session_ttl_s == ACADEMY_TTL_S
        assert session_mode(academy.state) == end_of_last
        assert academy.layout.session_file.read_bytes() == file
        assert client(academy, "s3", alive).list_buckets()["Buckets"]
        assert refusal(academy, "sqs", "list_queues", dead)["Error"]["Code"] == "ExpiredToken"
        end_sessions(academy.state)
        assert academy.out(number, "echo booted") == "booted"
        academy.client("ec2").stop_instances(InstanceIds=[number])
        academy.becomes(number, "stopped")
        academy.client("ec2").start_instances(InstanceIds=[number])
        academy.becomes(number, "running")
        assert academy.out(number, "echo again") == "again"
    finally:
        academy.client("ec2").terminate_instances(InstanceIds=[number])


def test_the_session_file_holds_live_keys_that_only_the_owner_reads(academy: Cloud) -> None:
    set_session_ttl(academy.state, ACADEMY_TTL_S)
    file = academy.layout.session_file
    assert file.stat().st_mode & 0o777 == 0o600
    session = boto3_session(file)
    assert session.client("sts", endpoint_url=academy.info.endpoint).get_caller_identity()
    assert academy.info.session_ttl_s == ACADEMY_TTL_S


def boto3_session(file: Path) -> Any:  # noqa: ANN401 - botocore ships no types of its sessions
    """Return a session with the keys of a credentials file, read by botocore itself."""
    from botocore.configloader import raw_config_parse

    found = raw_config_parse(str(file))["default"]
    assert sorted(found) == ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"]
    return boto3.Session(**found, region_name="us-east-1")


def test_without_session_mode_nothing_expires_and_nothing_is_issued(academy: Cloud) -> None:
    keys = issue_session(academy.state)
    set_session_ttl(academy.state, None)
    try:
        assert academy.info.session_ttl_s is None
        assert session_mode(academy.state) is None
        assert not academy.layout.session_file.exists()
        for call in (issue_session, end_sessions):
            with pytest.raises(TargetError, match="not in session mode") as refused:
                call(academy.state)
            assert "--session-ttl" in refused.value.hint
        assert client(academy, "sqs", keys).list_queues()
    finally:
        set_session_ttl(academy.state, ACADEMY_TTL_S)


def test_the_root_key_is_untouched_by_the_end_of_sessions(academy: Cloud) -> None:
    end_sessions(academy.state)
    assert academy.client("sqs").list_queues()


@pytest.fixture
def labctl(academy: Cloud, tmp_path: Path) -> Labctl:
    """The command on this cloud."""
    return Labctl(academy.state, tmp_path)


def test_the_commands_issue_end_and_tell(academy: Cloud, labctl: Labctl) -> None:
    try:
        assert "expire after 1 min 30 s" in labctl("cloud", "start", "--session-ttl", "90s").stdout
        lines = labctl("cloud", "session").stdout.splitlines()
        assert [line.split("=")[0] for line in lines] == [
            *("[default]", "aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        ]
        issued = SessionKeys(**json.loads(labctl("cloud", "session", "--json").stdout))
        assert 60 < issued.expires_at - time.time() <= 90
        assert client(academy, "sqs", issued).list_queues()
        assert "the last ones issued expire in 1 min" in labctl("cloud", "status").stdout
        told = labctl("fault", "expire").stdout
        assert told.endswith("next: labctl cloud session | labctl creds paste\n")
        assert refusal(academy, "sqs", "list_queues", issued)["Error"]["Code"] == "ExpiredToken"
        assert "the last ones issued were ended" in labctl("cloud", "status").stdout
        status = json.loads(labctl("cloud", "status", "--json").stdout)["session"]
        assert status == {"ttl_s": 90.0, "expires_at": issued.expires_at, "ended": True}
        assert "session mode" not in labctl("cloud", "start", "--session-ttl", "off").stdout
        for command in (("cloud", "session"), ("fault", "expire")):
            refused = labctl(*command, ok=False)
            assert (refused.returncode, refused.stdout) == (3, "")
            assert "labctl cloud start --session-ttl" in refused.stderr
    finally:
        set_session_ttl(academy.state, ACADEMY_TTL_S)


@pytest.mark.parametrize("ttl", ["0s", "12.1h", "soon"])
def test_a_wrong_time_to_live_starts_nothing(tmp_path: Path, ttl: str) -> None:
    refused = Labctl(tmp_path / "state", tmp_path)(
        "cloud", "start", f"--session-ttl={ttl}", ok=False
    )
    assert refused.returncode == 2
    assert "--session-ttl" in refused.stderr
    assert not (tmp_path / "state" / "cloud").exists()
