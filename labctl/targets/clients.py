"""Makes the boto3 clients of a target: one per service, shared by all threads, never hanging."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from botocore.credentials import ReadOnlyCredentials

from labctl.targets.base import CallHook, KeyWait, Moment
from labctl.targets.key_ends import KeyEnds
from labctl.targets.key_sources import KeySource
from labctl.targets.live_keys import LiveKeys
from labctl.targets.parking import park_dead_calls

# A long poll of SQS holds its answer back for 20 s, so reading must be more patient than that.
_READ_TIMEOUT_S = 40
_ATTEMPTS = 3  # few: the engine itself waits out throttling, where it can be cancelled and shown


def is_loopback(url: str) -> bool:
    """Return whether a URL names this very machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ClientFactory:
    """Creates and keeps the boto3 clients of one target, with keys that follow their source.

    `on_call` is called before and after every HTTP request, retries and failures included, in
    the thread that makes the request.
    """

    def __init__(
        self,
        source: KeySource,
        *,
        region: str,
        ends: KeyEnds,
        endpoint: str | None = None,
        wait: KeyWait | None = None,
        on_call: CallHook | None = None,
    ) -> None:
        self.source = source
        self.region = region
        self.endpoint = endpoint
        self._on_call = on_call
        self._lock = threading.Lock()
        self._session: Any = None
        self._asking: Any = None
        self._clients: dict[str, Any] = {}
        self.keys = LiveKeys(source, prove=self.account_of, ends=ends, wait=wait or KeyWait())

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        """Return the client of a service (`sqs`, `s3`, `ec2`...), created at its first use."""
        known = self._clients.get(service)
        if known is not None:
            return known
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._create(service)
            return self._clients[service]

    def account_of(self, keys: ReadOnlyCredentials) -> str:
        """Return the account of some keys, having asked the service for it, once and soon."""
        return self.identity_of(keys)[0]

    def identity_of(self, keys: ReadOnlyCredentials) -> tuple[str, str]:
        """Return account and ARN of some keys, having asked the service for it, once and soon."""
        with self._lock:
            if self._asking is None:  # kept: reading the service's description is the dear part
                self._asking = self.source.session()
        client = self._asking.create_client(
            "sts",
            region_name=self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            config=self._config(retries={"total_max_attempts": 1}, read_timeout=10),
        )
        try:
            answer = client.get_caller_identity()
            return str(answer["Account"]), str(answer["Arn"])
        finally:
            client.close()

    def _open_session(self) -> Any:  # noqa: ANN401 - boto3 is only imported where it is used
        if self._session is None:
            import boto3
            from botocore.credentials import CredentialResolver

            given: Any = _Given(self.keys)
            session = self.source.session()
            session.register_component("credential_provider", CredentialResolver([given]))
            self._session = boto3.Session(botocore_session=session, region_name=self.region)
        return self._session

    def _create(self, service: str) -> Any:  # noqa: ANN401 - as above
        make: Callable[..., Any] = self._open_session().client
        client = make(service, endpoint_url=self.endpoint, config=self._config())
        park_dead_calls(client, self.keys)
        if self._on_call is not None:
            _report_calls(client, service=service, on_call=self._on_call)
        return client

    def _config(self, **changed: Any) -> Any:  # noqa: ANN401 - as above
        from botocore.config import Config

        local = self.endpoint is not None and is_loopback(self.endpoint)
        settings: dict[str, Any] = {
            "connect_timeout": 3 if local else 10,
            "read_timeout": _READ_TIMEOUT_S,
            "retries": {"mode": "standard", "total_max_attempts": _ATTEMPTS},
            "tcp_keepalive": True,
            "max_pool_connections": 64,
            # AWS_ENDPOINT_URL must not send the `aws` target's calls elsewhere.
            "ignore_configured_endpoint_urls": True,
            "s3": {"addressing_style": "path"} if self.endpoint else None,
            "proxies": {} if local else None,  # None: those of the environment
        }
        return Config(**{**settings, **changed})


class _Given:
    """Gives botocore's resolver the keys it is to use; looks nowhere else."""

    METHOD = "labctl"

    def __init__(self, keys: LiveKeys) -> None:
        self._keys = keys

    def load(self) -> LiveKeys:
        """Return the keys."""
        return self._keys


def _report_calls(client: Any, *, service: str, on_call: CallHook) -> None:  # noqa: ANN401 - any client
    def reporter(moment: Moment) -> Callable[..., None]:
        def report(event_name: str, **_: object) -> None:
            on_call(service, event_name.rsplit(".", 1)[-1], moment)

        return report

    client.meta.events.register("before-send", reporter("before"))
    client.meta.events.register("response-received", reporter("after"))
