"""Failures: which kind each is, what the user reads, and that no secret is in it."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
)

from labctl.errors import CredentialsError, LabctlError, LimitError, OwnershipError, TargetError
from labctl.targets.failures import FailureKind, classify, is_missing, or_none
from labctl.text import keep_secret


def refused(
    code: str,
    message: str = "no",
    *,
    operation: str = "CreateQueue",
    status: int = 400,
    skew_s: float = 0,
) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {
            "HTTPStatusCode": status,
            "HTTPHeaders": {"date": email.utils.formatdate(time.time() + skew_s)},
        },
    }
    return ClientError(response, operation)


_KINDS: list[tuple[str, FailureKind, type[LabctlError]]] = [
    ("ExpiredToken", "credentials", CredentialsError),
    ("ExpiredTokenException", "credentials", CredentialsError),
    ("RequestExpired", "credentials", CredentialsError),
    ("InvalidClientTokenId", "credentials", CredentialsError),
    ("UnrecognizedClientException", "credentials", CredentialsError),
    ("AuthFailure", "credentials", CredentialsError),
    ("Throttling", "throttled", TargetError),
    ("ThrottlingException", "throttled", TargetError),
    ("RequestLimitExceeded", "throttled", TargetError),
    ("SlowDown", "throttled", TargetError),
    ("DependencyViolation", "dependency", TargetError),
    ("DeleteConflict", "dependency", TargetError),
    ("ResourceInUseException", "dependency", TargetError),
    ("AWS.SimpleQueueService.QueueDeletedRecently", "dependency", TargetError),
    ("InternalError", "transient", TargetError),
    ("ServiceUnavailable", "transient", TargetError),
    ("AccessDenied", "denied", TargetError),
    ("UnauthorizedOperation", "denied", TargetError),
    ("NoSuchBucket", "missing", TargetError),
    ("NoSuchEntity", "missing", TargetError),
    ("ResourceNotFoundException", "missing", TargetError),
    ("InvalidInstanceID.NotFound", "missing", TargetError),
    ("AWS.SimpleQueueService.NonExistentQueue", "missing", TargetError),
    ("VcpuLimitExceeded", "other", LimitError),
    ("InstanceLimitExceeded", "other", LimitError),
    ("ValidationError", "other", TargetError),
]


@pytest.mark.parametrize(("code", "kind", "error"), _KINDS)
def test_codes_by_the_remedy_they_call_for(
    code: str, kind: FailureKind, error: type[LabctlError]
) -> None:
    failure = classify(refused(code))
    assert failure.kind == kind
    assert type(failure.error) is error
    assert failure.error.hint


def test_any_other_failure_of_the_server_passes() -> None:
    assert classify(refused("Strange", status=500)).kind == "transient"
    assert classify(refused("Strange", status=429)).kind == "throttled"


def test_too_many_table_changes_at_once_is_no_quota() -> None:
    of_table = refused("LimitExceededException", operation="CreateTable")
    of_role = refused("LimitExceeded", operation="CreateRole")
    assert classify(of_table).kind == "dependency"
    assert isinstance(classify(of_role).error, LimitError)


@pytest.mark.parametrize("code", ["RequestExpired", "SignatureDoesNotMatch", "AuthFailure"])
def test_a_wrong_clock_is_told_from_expired_keys(code: str) -> None:
    failure = classify(refused(code, skew_s=-1200))
    assert failure.kind == "credentials"
    assert "clock skew" in failure.error.message
    assert "20 min ahead" in failure.error.message
    assert "behind" in classify(refused(code, skew_s=1200)).error.message
    assert "clock" not in classify(refused(code, skew_s=20)).error.message


def test_a_denial_names_the_action() -> None:
    said = "User: arn:aws:sts::1:x is not authorized to perform: iam:CreateRole on resource: r"
    assert "iam:CreateRole" in classify(refused("AccessDenied", said)).error.message
    said = "You are not authorized. Encoded authorization failure message: AAAABBBBCCCC"
    message = classify(refused("UnauthorizedOperation", said)).error.message
    assert "CreateQueue" in message
    assert "AAAABBBB" not in message


def test_what_never_reached_the_service() -> None:
    gone = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    slow = ConnectTimeoutError(endpoint_url="http://127.0.0.1:1")
    for error in (gone, slow):
        assert classify(error).kind == "transient"
        assert "out of reach" in classify(error).error.message
    for nothing in (NoCredentialsError(), ProfileNotFound(profile="x")):
        assert classify(nothing).kind == "credentials"
        assert isinstance(classify(nothing).error, CredentialsError)


def test_our_own_errors_pass_as_they_are() -> None:
    error = OwnershipError("not ours")
    assert classify(error).error is error
    assert classify(RuntimeError("boom")).error.message == "unexpected RuntimeError: boom"


def test_no_secret_and_no_escape_sequence_gets_through() -> None:
    keep_secret("a-secret-of-the-failure-tests")
    said = "key ASIAABCDEFGHIJKLMNOP a-secret-of-the-failure-tests \x1b]52;c;x\x07 end"
    for error in (refused("Strange", said), RuntimeError(said)):
        message = classify(error).error.message
        assert "ASIAABCD" not in message
        assert "a-secret" not in message
        assert "\x1b" not in message
        assert "end" in message


def test_missing_is_none_and_everything_else_is_raised() -> None:
    def fail(error: Exception) -> str:
        raise error

    assert or_none(lambda: "there") == "there"
    assert or_none(lambda: fail(refused("NoSuchBucket"))) is None
    assert or_none(lambda: fail(refused("404", status=404))) is None
    with pytest.raises(ClientError):
        or_none(lambda: fail(refused("AccessDenied")))
    assert not is_missing(RuntimeError("NotFound"))
