"""Calls to SQS and DynamoDB at half the CPU that boto3 takes for one.

A worker makes some four calls for ten jobs, always with arguments of the same shapes. botocore
still finds the keys, the endpoint and the signature; its models, hooks and parsers are left out,
which is possible because both services speak plain JSON. Errors are botocore's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.httpsession import get_cert_path
from botocore.parsers import ResponseParserError

from job_runtime.masking import keep_secrets

SERVICES = {"sqs": "AmazonSQS", "dynamodb": "DynamoDB_20120810"}

_TIMEOUT = urllib3.Timeout(connect=5.0, read=30.0)
_CONNECTIONS = 32


class QuickClient:
    """Does for one service what `client` would, with the same names; thread-safe."""

    def __init__(self, client: Any, credentials: Credentials | None) -> None:  # noqa: ANN401 - any service's
        self._meta = client.meta
        self._service: str = client.meta.service_model.service_name
        self._credentials = credentials
        self._path = urlsplit(self._meta.endpoint_url).path or "/"
        safe = self._meta.endpoint_url.startswith("https:")
        self._pool = urllib3.connection_from_url(
            self._meta.endpoint_url,
            maxsize=_CONNECTIONS,
            timeout=_TIMEOUT,
            **({"ca_certs": get_cert_path(True)} if safe else {}),
        )

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call (`send_message_batch`) and return its answer; a refusal is `ClientError`.

        Raises `HTTPClientError` when no answer came, and `ResponseParserError` for half of one.
        """
        name = self._meta.method_to_api_mapping[operation]
        body = json.dumps(arguments).encode()
        try:
            response = self._pool.urlopen(
                "POST", self._path, body=body, headers=self._headers(name, body), retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise HTTPClientError(error=error) from error
        answer = _parsed(response.data)
        if response.status >= 300:
            raise _refusal(answer, response.status, name)
        return answer

    def _headers(self, operation: str, body: bytes) -> dict[str, str]:
        if self._credentials is None:
            raise NoCredentialsError
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"{SERVICES[self._service]}.{operation}",
        }
        request = AWSRequest("POST", self._meta.endpoint_url, headers, body)
        keys = self._credentials.get_frozen_credentials()
        keep_secrets(keys.secret_key, keys.token)
        SigV4Auth(keys, self._service, self._meta.region_name).add_auth(request)
        return dict(request.headers.items())


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(data or b"{}")
    except ValueError as error:
        raise ResponseParserError(f"no JSON in the answer: {error}") from error
    return answer


def _refusal(answer: dict[str, Any], status: int, operation: str) -> ClientError:
    code = str(answer.get("__type", status)).rpartition("#")[2]
    message = str(answer.get("message") or answer.get("Message") or "")
    parsed: Any = {
        **answer,
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(parsed, operation)
