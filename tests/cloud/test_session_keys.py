"""Session keys by themselves: what a token says, and that nobody else can write one."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.cloud.keys import Keys, Verdict
from labctl.cloud.session_keys import Keyring, begin_era, read_era
from labctl.text import masked

RING = Keyring("the root secret")
ERA = b"an era .."[:8]


@given(
    st.floats(allow_nan=False, allow_infinity=False), st.binary(min_size=8, max_size=8).map(bytes)
)
def test_a_token_says_what_it_was_issued_with(expires_at: float, era: bytes) -> None:
    keys = RING.issue(expires_at=expires_at, era=era)
    session = RING.open(keys.token)
    assert session is not None
    assert (session.access_key, session.secret_key) == (keys.access_key, keys.secret_key)
    assert (session.expires_at, session.era) == (expires_at, era)


def test_keys_look_like_those_of_aws_and_no_two_are_the_same() -> None:
    issued = [RING.issue(expires_at=1.0, era=ERA) for _ in range(50)]
    assert len({keys.access_key for keys in issued}) == 50
    assert len({keys.secret_key for keys in issued}) == 50
    assert all(keys.access_key.startswith("ASIA") for keys in issued)
    assert {(len(keys.access_key), len(keys.secret_key)) for keys in issued} == {(20, 40)}


def test_a_changed_token_opens_nothing() -> None:
    content = base64.b64decode(RING.issue(expires_at=1.0, era=ERA).token)
    for index in range(len(content)):
        changed = bytearray(content)
        changed[index] ^= 1
        assert RING.open(base64.b64encode(changed).decode()) is None


def test_another_clouds_token_opens_nothing() -> None:
    assert Keyring("another secret").open(RING.issue(expires_at=1.0, era=ERA).token) is None


@given(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()))
def test_what_is_no_token_opens_nothing(text: str) -> None:
    assert RING.open(text) is None


def test_the_block_is_that_of_aws_academy_and_secrets_stay_out_of_texts() -> None:
    keys = RING.issue(expires_at=1.0, era=ERA)
    assert keys.block() == (
        "[default]\n"
        f"aws_access_key_id={keys.access_key}\n"
        f"aws_secret_access_key={keys.secret_key}\n"
        f"aws_session_token={keys.token}\n"
    )
    for text in (
        repr(keys),
        masked(f"{keys.secret_key} {keys.token}"),
        repr(RING.open(keys.token)),
    ):
        assert keys.secret_key not in text
        assert keys.token not in text


@pytest.mark.parametrize("content", [None, b"", b"\xff\x00", b"0123456789abcdef"])
def test_a_new_era_differs_whatever_the_file_held(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "era"
    if content is not None:
        file.write_bytes(content)
    eras = [read_era(file)]
    for _ in range(3):
        begin_era(file)
        eras.append(read_era(file))
    assert len(set(eras)) == 4
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_end_of_an_era_is_seen_by_the_very_next_request(tmp_path: Path) -> None:
    file = tmp_path / "era"
    keys = Keys(root_key="AKIA", root_secret="the root secret", era_file=file)
    for _ in range(20):
        begin_era(file)
        issued = RING.issue(expires_at=0.0, era=read_era(file))
        alive = RING.issue(expires_at=1e12, era=read_era(file))
        assert keys.judge(alive.access_key, alive.token) is Verdict.GOOD
        assert keys.judge(issued.access_key, issued.token) is Verdict.EXPIRED
        begin_era(file)
        assert keys.judge(alive.access_key, alive.token) is Verdict.EXPIRED
        assert keys.judge("AKIA", "") is Verdict.GOOD
