"""The proxy where no server answers, and what it makes of its environment."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.request import urlopen

import pytest

from db_proxy.settings import Place, Settings
from http_runtime.settings import SettingsError
from tests.patterns.services import ask, health, service


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    for name in ("reader", "writer", "monitor"):
        (tmp_path / name).write_text("secret\n")
    return tmp_path


def test_it_stands_and_says_why_when_every_look_fails(secrets: Path) -> None:
    # Port 1 refuses, and who listens here never says a word: whichever way a look fails, it fails.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = f"127.0.0.1:{silent.getsockname()[1]}"
        behind = f"primary=127.0.0.1:1,127.0.0.1:1,{mute},{mute}"
        _is_told(behind, secrets)


def _is_told(behind: str, secrets: Path) -> None:
    with service("db_proxy", SERVERS=behind, SECRETS=str(secrets)) as url:
        for _ in range(3):
            for mode in ("direct-hit", "random", "customized", "write"):
                answer = ask(url, mode, "SELECT 1")
                assert (answer.status, "the primary is not live" in answer.error) == (503, True)
        seen = health(url)
        assert (seen.status, seen.body["ok"], seen.body["writes"]) == (503, False, False)
        assert list(seen.body["servers"]) == ["primary", "replica.0", "replica.1", "replica.2"]
        assert all(each["why"] for each in seen.body["servers"].values())
        with urlopen(f"{url}/metrics") as answer:
            assert b'labctl_proxy_server_live{node="replica.2"} 0\n' in answer.read()


def test_what_is_no_query_is_refused(secrets: Path) -> None:
    with service("db_proxy", SERVERS="primary=127.0.0.1:1", SECRETS=str(secrets)) as url:
        for mode, query, more in (
            ("read", "SELECT 1", {}),
            ("random", "", {}),
            ("random", "x" * 8001, {}),
            ("random", "SELECT 1", {"after": "0-1"}),
            ("random", "SELECT 1", {"after": 7}),
        ):
            assert ask(url, mode, query, **more).status == 400


def environment(secrets: Path, **changed: str) -> dict[str, str]:
    return {
        "LISTEN": "127.0.0.1",
        "SERVERS": "primary=10.0.0.1:3306,10.0.0.2:3307,10.0.0.3",
        "SECRETS": str(secrets),
        **changed,
    }


def test_a_list_of_addresses_is_the_replicas(secrets: Path) -> None:
    settings = Settings.from_environment(environment(secrets))
    assert settings.primary == Place("primary", "10.0.0.1", 3306)
    assert settings.replicas == (
        Place("replica.0", "10.0.0.2", 3307),
        Place("replica.1", "10.0.0.3", 3306),
    )
    assert settings.passwords["writer"] == "secret"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"SERVERS": ""}, "SERVERS"),
        ({"SERVERS": "10.0.0.1:3306"}, "must begin with primary"),
        ({"SERVERS": "primary=10.0.0.1:x"}, "no ADDRESS:PORT"),
        ({"SERVERS": "primary=10.0.0.1,a=10.0.0.2,a=10.0.0.3"}, "twice"),
        ({"LISTEN": ""}, "LISTEN"),
        ({"PORT": "70000"}, "PORT"),
        ({"MAX_SECONDS": "soon"}, "MAX_SECONDS"),
        ({"SECRETS": "/nowhere"}, "no secret 'reader'"),
    ],
)
def test_a_wrong_environment_is_said(secrets: Path, changed: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Settings.from_environment(environment(secrets, **changed))


def test_an_empty_secret_is_none(secrets: Path) -> None:
    (secrets / "writer").write_text("\n")
    with pytest.raises(SettingsError, match="'writer' is empty"):
        Settings.from_environment(environment(secrets))
