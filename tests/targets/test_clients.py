"""Clients: one per service, reporting every request, and deaf to what the environment says."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from labctl.targets.base import CallHook, Moment
from labctl.targets.clients import ClientFactory, is_loopback
from labctl.targets.key_ends import KeyEnds
from labctl.targets.key_sources import ChainKeys, FixedKeys, KeySource
from labctl.text import masked
from tests.targets.service import Answering, Service, serving

_SECRET = "a-secret-of-the-client-tests"


class Statuses(Service):
    """Answers every call with the next of its statuses; keeps what was sent."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.seen: list[tuple[str, str]] = []
        super().__init__(_Handler)


class _Handler(Answering):
    server: Statuses

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.path, self.headers.get("Authorization", "")))
        statuses = self.server.statuses
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        body = b'{"QueueUrls": []}' if status == 200 else b'{"__type": "Throttling"}'
        self.answer(status, body)


@pytest.fixture
def service() -> Iterator[Statuses]:
    with serving(Statuses()) as server:
        yield server


def factory(url: str, seen: list[tuple[str, str, Moment]] | None = None) -> ClientFactory:
    def on_call(service: str, operation: str, moment: Moment) -> None:
        if seen is not None:
            seen.append((service, operation, moment))

    return made_with(FixedKeys("contract", _SECRET), endpoint=url, on_call=on_call)


def made_with(
    source: KeySource,
    *,
    region: str = "us-east-1",
    endpoint: str | None = None,
    on_call: CallHook | None = None,
) -> ClientFactory:
    ends = KeyEnds(Path("/nowhere/keys-seen.json"))
    return ClientFactory(source, region=region, endpoint=endpoint, ends=ends, on_call=on_call)


def test_threads_share_one_client_of_a_service(service: Statuses) -> None:
    made = factory(service.url)
    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(lambda _: made.client("sqs"), range(8)))
    assert len(set(map(id, clients))) == 1
    assert made.client("s3") is not clients[0]


def test_every_request_is_reported_before_and_after(service: Statuses) -> None:
    seen: list[tuple[str, str, Moment]] = []
    factory(service.url, seen).client("sqs").list_queues()
    assert seen == [("sqs", "ListQueues", "before"), ("sqs", "ListQueues", "after")]
    assert len(service.seen) == 1


def test_retries_and_failures_are_reported_one_by_one(service: Statuses) -> None:
    seen: list[tuple[str, str, Moment]] = []
    service.statuses = [503, 400]
    with pytest.raises(ClientError):
        factory(service.url, seen).client("sqs").list_queues()
    moments = [moment for _, _, moment in seen]
    assert moments == ["before", "after"] * len(service.seen)
    assert len(service.seen) >= 2


def test_a_service_that_is_not_there_is_reported_too() -> None:
    seen: list[tuple[str, str, Moment]] = []
    with pytest.raises(EndpointConnectionError):
        factory("http://127.0.0.1:1", seen).client("sqs").list_queues()
    moments = [moment for _, _, moment in seen]
    assert moments
    assert moments == ["before", "after"] * (len(moments) // 2)


def test_what_the_hook_raises_ends_the_call_before_it_is_sent(service: Statuses) -> None:
    def on_call(service: str, operation: str, moment: Moment) -> None:
        raise KeyboardInterrupt

    made = made_with(FixedKeys("contract", _SECRET), endpoint=service.url, on_call=on_call)
    with pytest.raises(KeyboardInterrupt):
        made.client("sqs").list_queues()
    assert service.seen == []


def test_the_environment_changes_neither_keys_nor_place(
    service: Statuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "there-is-no-such-profile")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-environment")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    factory(service.url).client("sqs").list_queues()
    ((_, authorization),) = service.seen
    assert "Credential=contract/" in authorization


def test_the_providers_own_endpoints_are_not_redirected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-environment")
    client = made_with(ChainKeys(), region="us-west-2").client("sqs")
    assert client.meta.endpoint_url == "https://sqs.us-west-2.amazonaws.com"


def test_no_call_can_hang(service: Statuses) -> None:
    config = factory(service.url).client("s3").meta.config
    assert config.connect_timeout <= 10
    assert 20 < config.read_timeout <= 60  # a long poll takes 20 s
    assert config.s3 == {"addressing_style": "path"}
    assert config.max_pool_connections == 64


def test_the_secret_key_is_masked_from_then_on(service: Statuses) -> None:
    made = factory(service.url)
    assert made.keys.get_frozen_credentials().secret_key == _SECRET
    assert _SECRET not in masked(f"key {_SECRET}")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://localhost:4566", True),
        ("http://[::1]:4566", True),
        ("http://s3.localhost:1", True),
        ("https://sqs.us-east-1.amazonaws.com", False),
        ("http://127.0.0.1.example.org", False),
        ("http://54.10.20.30", False),
    ],
)
def test_loopback_is_told_from_the_rest(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected
