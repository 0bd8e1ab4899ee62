"""Calls to the services that outlast throttling, lost connections and expired keys."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, cast

import boto3
from botocore import exceptions as refused
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from job_runtime.log_lines import say
from job_runtime.quick_client import SERVICES, QuickClient

Trouble = Literal["throttled", "credentials", "connection"]
Returned = TypeVar("Returned")

_BUSY = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "KmsThrottled",
    "LimitExceededException",
    "OverLimit",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_KEYS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
}
# A half-saved credentials file shows as a parse error, a missing profile or missing keys.
_NO_KEYS = (
    refused.ConfigParseError,
    refused.CredentialRetrievalError,
    refused.NoCredentialsError,
    refused.PartialCredentialsError,
    refused.ProfileNotFound,
)
_NO_CONNECTION = (
    refused.HTTPClientError,
    refused.IncompleteReadError,
    ResponseParserError,  # the answer of a server that died over it
)
_FIRST_PAUSE_S = 0.1
# New keys are noticed within a second; a busy service is left alone for longer.
_LONGEST_PAUSE_S: dict[Trouble, float] = {"throttled": 5.0, "connection": 2.0, "credentials": 1.0}
_RENEW_EVERY_S = 0.5
_SAY_EVERY_S = 30.0


class Stopping(Exception):
    """The worker is ending and waits no longer for the services."""


class NotYet(Exception):
    """Part of a call was not accepted; another attempt may well succeed."""


def trouble_of(error: Exception) -> Trouble | None:
    """Return what kind of passing trouble an error is; None when waiting does not mend it."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code.rpartition(".")[2] in _KEYS:
            return "credentials"
        return "throttled" if code in _BUSY or status in (429, 500, 502, 503, 504) else None
    if isinstance(error, NotYet):
        return "throttled"
    if isinstance(error, _NO_KEYS):
        return "credentials"
    return "connection" if isinstance(error, _NO_CONNECTION) else None


class Cloud:
    """The services' clients, shared by the worker's threads and made anew when keys change.

    `end` set means that nothing may wait any more: calls in trouble raise `Stopping`.
    """

    def __init__(self, end: threading.Event | None = None) -> None:
        self.end = end or threading.Event()
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._session: boto3.Session | None = None
        self._renewed_at = 0.0
        self._said_at = -_SAY_EVERY_S

    def call(
        self,
        service: str,
        operation: str,
        arguments: Mapping[str, Any],
        *,
        until: threading.Event | None = None,
    ) -> dict[str, Any]:
        """Make one call and return its answer, waiting for as long as the trouble passes."""
        return self.patiently(lambda: self.once(service, operation, arguments), until=until)

    def once(self, service: str, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call that is not repeated: part of an attempt given to `patiently`."""
        client = self._client(service)
        if isinstance(client, QuickClient):
            return client.call(operation, arguments)
        return cast("dict[str, Any]", getattr(client, operation)(**arguments))

    def patiently(
        self, attempt: Callable[[], Returned], *, until: threading.Event | None = None
    ) -> Returned:
        """Return what `attempt` returns, repeated with jittered pauses while trouble passes."""
        given_up = until or self.end
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return attempt()
            except (BotoCoreError, ClientError, NotYet, *_NO_CONNECTION) as error:
                trouble = trouble_of(error)
                if trouble is None:
                    raise
                self._say_waiting(trouble, error)
                if trouble != "throttled":
                    self._renew()
            if given_up.wait(pause_s * random.uniform(0.5, 1.0)):
                raise Stopping
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S[trouble])

    def _client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        with self._lock:
            if service not in self._clients:
                self._session = self._session or boto3.Session()
                make: Any = self._session.client  # typed for literal names only
                client = make(service, config=_client_config())
                if service in SERVICES:
                    client = QuickClient(client, self._session.get_credentials())
                self._clients[service] = client
            return self._clients[service]

    def _renew(self) -> None:
        # boto3 reads static keys once a session: only a new session sees a file saved since.
        with self._lock:
            now = time.monotonic()
            if now - self._renewed_at >= _RENEW_EVERY_S:
                self._renewed_at = now
                self._session = None
                self._clients = {}

    def _say_waiting(self, trouble: Trouble, error: Exception) -> None:
        with self._lock:
            if time.monotonic() - self._said_at < _SAY_EVERY_S:
                return
            self._said_at = time.monotonic()
        code = error.response["Error"].get("Code") if isinstance(error, ClientError) else None
        # An error's text may quote the request, keys included: only its code is shown.
        say("waiting", trouble=trouble, error=str(code or type(error).__name__)[:80])


def _client_config() -> Config:
    # Only AWS itself gives every bucket a host name of its own.
    style: Literal["path", "auto"] = "path" if os.environ.get("AWS_ENDPOINT_URL") else "auto"
    return Config(
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=32,
        parameter_validation=False,  # the arguments are ours; checking them costs a tenth of a call
        retries={"total_max_attempts": 1, "mode": "standard"},
        s3={"addressing_style": style},
        tcp_keepalive=True,
    )
