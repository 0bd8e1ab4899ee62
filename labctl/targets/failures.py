"""Turns what boto3 raises into errors for the user, and says whether trying again may help."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from labctl.errors import CredentialsError, LabctlError, LimitError, TargetError
from labctl.text import one_line

FailureKind = Literal[
    "throttled", "dependency", "transient", "credentials", "denied", "missing", "other"
]

Result = TypeVar("Result")

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
INVALID = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_SKEWED = {"RequestTimeTooSkewed", "RequestInTheFuture"}
_THROTTLED = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
# Refused as long as something else is still there, or still being made or deleted.
_DEPENDENCY = {
    "AWS.SimpleQueueService.PurgeQueueInProgress",
    "AWS.SimpleQueueService.QueueDeletedRecently",
    "BucketNotEmpty",
    "ConcurrentModification",
    "DeleteConflict",
    "DependencyViolation",
    "IncorrectInstanceState",
    "InvalidGroup.InUse",
    "OperationAborted",
    "QueueDeletedRecently",
    "ResourceInUseException",
    "VolumeInUse",
}
_TRANSIENT = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "Unavailable",
}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AuthorizationError",
    "UnauthorizedOperation",
}
_LIMITS = {
    "AddressLimitExceeded",
    "InstanceLimitExceeded",
    "LimitExceeded",
    "MaxSpotInstanceCountExceeded",
    "OverLimit",
    "ResourceLimitExceeded",
    "RulesPerSecurityGroupLimitExceeded",
    "SecurityGroupLimitExceeded",
    "TooManyBuckets",
    "VcpuLimitExceeded",
    "VolumeLimitExceeded",
}
_SKEW_S = 300.0  # services refuse a signature that is further off than this
_NOT_AUTHORISED = re.compile(r"not authorized to perform: ([A-Za-z0-9-]+:[A-Za-z0-9*]+)")
_NEW_KEYS = "get new keys (a lab account: start its session again), then: labctl creds paste"


@dataclass(frozen=True)
class Failure:
    """What went wrong, by the remedy it calls for, and the error to show when none is left."""

    kind: FailureKind
    error: LabctlError


def code_of(error: BaseException) -> str:
    """Return the service's error code (`NoSuchBucket`), or "" for other exceptions."""
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return ""
    return str(response.get("Error", {}).get("Code", ""))


def is_missing(error: BaseException) -> bool:
    """Return whether the service says that the thing does not exist."""
    code = code_of(error)
    return (
        code in ("404", "NoSuchBucket", "NoSuchEntity", "NoSuchTagSet", "NoSuchUpload", "NoSuchKey")
        or "NotFound" in code
        or code.endswith(("NonExistentQueue", "QueueDoesNotExist"))
    )


def or_none(call: Callable[[], Result]) -> Result | None:
    """Return what a call returns, or None when the service says that the thing is missing."""
    from botocore.exceptions import ClientError

    try:
        return call()
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def classify(error: BaseException) -> Failure:
    """Return the failure behind an exception; secrets in its text are masked."""
    if isinstance(error, LabctlError):
        kind: FailureKind = "credentials" if isinstance(error, CredentialsError) else "other"
        return Failure(kind, error)
    if code_of(error):
        return _service_failure(error)
    return _client_failure(error)


def _service_failure(error: BaseException) -> Failure:
    code = code_of(error)
    response: Mapping[str, Any] = getattr(error, "response", {})
    metadata: Mapping[str, Any] = response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    said = _clean(str(response.get("Error", {}).get("Message", "")) or code)
    operation = str(getattr(error, "operation_name", "the call"))
    plain = TargetError(f"{operation}: {said}", f"the service's error code is {code}")

    if code in _SKEWED or (code in EXPIRED | INVALID and is_clock_skewed(metadata)):
        return Failure("credentials", _skew_error(metadata))
    if code in EXPIRED:
        return Failure("credentials", CredentialsError("the credentials have expired", _NEW_KEYS))
    if code in INVALID:
        return Failure(
            "credentials",
            CredentialsError(f"the credentials are not accepted ({code})", _INVALID_HINT),
        )
    if code in _DENIED or (code == "403" and status == 403):
        return Failure("denied", _denied_error(operation, said))
    if code in _THROTTLED or status == 429:
        return Failure("throttled", plain)
    # DynamoDB says LimitExceededException for too many changes at once, not for a quota.
    if code in _DEPENDENCY or (code == "LimitExceededException" and "Table" in operation):
        return Failure("dependency", plain)
    if code in _LIMITS or code == "LimitExceededException":
        return Failure("other", LimitError(f"{operation}: {said}", "free what you do not need"))
    if code == "InsufficientInstanceCapacity":
        return Failure("other", TargetError(plain.message, "choose another instance type"))
    if is_missing(error):
        return Failure("missing", plain)
    if code in _TRANSIENT or status >= 500:
        return Failure("transient", plain)
    return Failure("other", plain)


_INVALID_HINT = (
    "check the profile; keys in environment variables come before the file, and a left-over "
    "aws_security_token line before aws_session_token"
)


def _denied_error(operation: str, said: str) -> TargetError:
    named = _NOT_AUTHORISED.search(said)
    action = named.group(1) if named else operation
    return TargetError(
        f"the credentials do not allow {action}",
        "`labctl doctor --policy` prints the least permissions that labctl needs",
    )


def is_clock_skewed(metadata: Mapping[str, Any]) -> bool:
    """Return whether this machine's clock is so far off that services refuse what it signs."""
    return abs(_clock_skew_s(metadata)) > _SKEW_S


def _clock_skew_s(metadata: Mapping[str, Any]) -> float:
    """Return by how many seconds this machine's clock is ahead of the service's."""
    date = metadata.get("HTTPHeaders", {}).get("date", "")
    try:
        return time.time() - email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return 0.0


def _skew_error(metadata: Mapping[str, Any]) -> CredentialsError:
    skew_s = _clock_skew_s(metadata)
    direction = "ahead of" if skew_s > 0 else "behind"
    minutes = f"{abs(skew_s) / 60:.0f} min {direction}" if skew_s else "not in step with"
    return CredentialsError(
        f"clock skew: this machine's clock is {minutes} the service's",
        "set the clock (switch time synchronisation on), then run it again",
    )


def _client_failure(error: BaseException) -> Failure:
    """Map what botocore raises without an answer of the service."""
    import botocore.exceptions as boto

    said = _clean(str(error))
    if isinstance(
        error,
        boto.NoCredentialsError
        | boto.PartialCredentialsError
        | boto.ProfileNotFound
        | boto.CredentialRetrievalError
        | boto.TokenRetrievalError
        | boto.SSOError,
    ):
        hint = "`aws configure` sets keys up; --target local needs none"
        return Failure("credentials", CredentialsError(said, hint))
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError):
        return Failure(
            "transient",
            TargetError(f"the service is out of reach: {said}", "check the network and the URL"),
        )
    if isinstance(error, boto.BotoCoreError):
        return Failure("other", TargetError(said))
    return Failure("other", LabctlError(f"unexpected {type(error).__name__}: {said}"))


def _clean(text: str) -> str:
    # EC2 adds a blob that only an administrator can decode.
    return one_line(text.split("Encoded authorization failure message")[0], limit=300)
