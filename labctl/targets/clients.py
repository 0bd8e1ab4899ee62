"""Makes the boto3 clients of a target: one per service, shared by all threads, never hanging."""

from __future__ import annotations

import ipaddress
import os
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from labctl.targets.base import CallHook, Moment
from labctl.text import keep_secret

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
    """Creates and keeps the boto3 clients of one target.

    Without keys the standard chain of the profile is used. `on_call` is called before and after
    every HTTP request, retries and failures included, in the thread that makes the request.
    """

    def __init__(
        self,
        *,
        region: str,
        endpoint: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        profile: str | None = None,
        on_call: CallHook | None = None,
    ) -> None:
        self.region = region
        self.endpoint = endpoint
        self._keys = (access_key, secret_key)
        self._profile = profile
        self._on_call = on_call
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        """Return the client of a service (`sqs`, `s3`, `ec2`...), created at its first use."""
        known = self._clients.get(service)
        if known is not None:
            return known
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._create(service)
            return self._clients[service]

    def credentials(self) -> tuple[str, str, str | None] | None:
        """Return access key, secret key and token as they are now; None: the chain has none."""
        with self._lock:
            found = self._open_session().get_credentials()
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
        keep_secret(frozen.secret_key)
        keep_secret(frozen.token or "")
        return frozen.access_key, frozen.secret_key, frozen.token

    def _open_session(self) -> Any:  # noqa: ANN401 - boto3 is only imported where it is used
        if self._session is None:
            import boto3

            self._session = boto3.Session(
                botocore_session=self._botocore_session(), region_name=self.region
            )
        return self._session

    def _botocore_session(self) -> Any:  # noqa: ANN401 - as above
        from botocore.session import Session

        access_key, secret_key = self._keys
        if access_key is None or secret_key is None:
            return Session(profile=self._profile)
        keep_secret(secret_key)
        # With keys in hand nothing of the user's may matter: no profile, no files, no reporting.
        session = Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
                "csm_enabled": (None, None, False, None),
            }
        )
        session.set_credentials(access_key, secret_key)
        return session

    def _create(self, service: str) -> Any:  # noqa: ANN401 - as above
        from botocore.config import Config

        local = self.endpoint is not None and is_loopback(self.endpoint)
        config = Config(  # type: ignore[call-arg]  # the stubs lack ignore_configured_endpoint_urls
            connect_timeout=3 if local else 10,
            read_timeout=_READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            tcp_keepalive=True,
            max_pool_connections=64,
            # AWS_ENDPOINT_URL must not send the `aws` target's calls elsewhere.
            ignore_configured_endpoint_urls=True,
            s3={"addressing_style": "path"} if self.endpoint else None,
            proxies={} if local else None,  # None: those of the environment
        )
        make: Callable[..., Any] = self._open_session().client
        client = make(service, endpoint_url=self.endpoint, config=config)
        if self._on_call is not None:
            _report_calls(client, service=service, on_call=self._on_call)
        return client


def _report_calls(client: Any, *, service: str, on_call: CallHook) -> None:  # noqa: ANN401 - any client
    def reporter(moment: Moment) -> Callable[..., None]:
        def report(event_name: str, **_: object) -> None:
            on_call(service, event_name.rsplit(".", 1)[-1], moment)

        return report

    client.meta.events.register("before-send", reporter("before"))
    client.meta.events.register("response-received", reporter("after"))
