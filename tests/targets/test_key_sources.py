"""Roles, single sign-on and metadata services: keys that end there are asked for anew."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labctl import events as e
from labctl.cloud.session_keys import SessionKeys
from labctl.cloud.session_mode import end_sessions, issue_session
from labctl.targets.base import KeyWait
from labctl.targets.endpoint import EndpointTarget
from tests.cloud.running import Cloud, academy_cloud, wait_for
from tests.targets.service import Answering, Service, serving

START_URL = "https://students.awsapps.com/start"


@pytest.fixture(scope="module")
def academy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud whose keys end."""
    with academy_cloud(tmp_path_factory.mktemp("sources")) as running:
        yield running


class Giver(Service):
    """Gives keys as EC2's metadata service does, and as the portal of single sign-on does."""

    def __init__(self) -> None:
        self.keys: SessionKeys | None = None
        super().__init__(_Handler)


class _Handler(Answering):
    server: Giver

    def do_PUT(self) -> None:
        self._say("a-token-of-the-metadata-service")

    def do_GET(self) -> None:
        keys, far = self.server.keys, time.time() + 6 * 3600
        assert keys is not None
        if self.path.startswith("/federation/credentials"):
            role = {
                "accessKeyId": keys.access_key,
                "secretAccessKey": keys.secret_key,
                "sessionToken": keys.token,
                "expiration": round(far * 1000),
            }
            self._say(json.dumps({"roleCredentials": role}))
        elif self.path.endswith("/security-credentials/"):
            self._say("lab-role")
        else:
            given = {
                "Code": "Success",
                "AccessKeyId": keys.access_key,
                "SecretAccessKey": keys.secret_key,
                "Token": keys.token,
                "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(far)),
            }
            self._say(json.dumps(given))

    def _say(self, text: str) -> None:
        self.answer(200, text.encode(), content_type="application/json")


@pytest.fixture
def giver() -> Iterator[Giver]:
    with serving(Giver()) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys; nothing of the environment's counts."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LABCTL_STATE", str(tmp_path / "state"))
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".aws").mkdir()
    return tmp_path


def test_an_instance_profile_is_asked_again_when_its_keys_are_dead(
    academy: Cloud, giver: Giver, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", giver.url)
    told: list[e.Event] = []
    giver.keys = issue_session(academy.state)
    target = EndpointTarget(academy.info.endpoint, wait=KeyWait(60, tell=told.append))
    sqs = target.client("sqs")
    sqs.list_queues()
    assert target.credentials_end() is None  # its source gives others in time
    end_sessions(academy.state)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sqs.list_queues)
        wait_for(lambda: any(isinstance(event, e.CredentialsExpired) for event in told))
        giver.keys = issue_session(academy.state)
        waiting.result(30)
    assert target.keys_report().source == "this machine's instance profile"


def test_single_sign_on(academy: Cloud, giver: Giver, home: Path) -> None:
    giver.keys = issue_session(academy.state)
    (home / ".aws" / "config").write_text(
        f"[default]\nsso_start_url = {START_URL}\nsso_region = us-east-1\n"
        "sso_account_id = 000000000000\nsso_role_name = student\n"
    )
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    login = {
        "startUrl": START_URL,
        "region": "us-east-1",
        "accessToken": "an-access-token-of-the-portal",
        "expiresAt": "2100-01-01T00:00:00Z",
    }
    name = hashlib.sha1(START_URL.encode()).hexdigest()
    (cache / f"{name}.json").write_text(json.dumps(login))
    # A process of its own: botocore settles where the home is when it is imported.
    status = subprocess.run(
        [sys.executable, "-m", "labctl", "creds", "status", "--json"]
        + ["--target", academy.info.endpoint],
        env={**os.environ, "AWS_ENDPOINT_URL_SSO": giver.url},
        capture_output=True,
        text=True,
    )
    report = json.loads(status.stdout)
    assert report["source"] == "the single sign-on of profile default"
    assert report["ok"]


def test_a_role_taken_on_with_keys_that_end(
    academy: Cloud, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", academy.info.endpoint)
    (home / ".aws" / "config").write_text(
        "[default]\nrole_arn = arn:aws:iam::000000000000:role/lab\nsource_profile = base\n"
        "region = us-east-1\n"
    )
    base = home / ".aws" / "credentials"
    base.write_text(issue_session(academy.state).block().replace("default", "base"))
    target = EndpointTarget(academy.info.endpoint)
    target.client("sqs").list_queues()
    assert target.keys_report().source == "the role that profile default assumes"
