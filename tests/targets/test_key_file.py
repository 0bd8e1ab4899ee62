"""Profiles of a credentials file, and pasted blocks: any shape that consoles and shells print."""

from __future__ import annotations

import configparser
import contextlib
import stat
import string
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import CredentialsError
from labctl.targets.key_file import (
    Keys,
    end_said,
    parse_pasted,
    profile_section,
    save_profile,
    stale_token_line,
)
from labctl.text import masked

KEYS = Keys("ASIAABCDEFGHIJKLMNOP", "wJalrXUtnFEMI/K7MDENG+bPx", "IQoJb3JpZ2luX2VjEMr==")
ACADEMY = f"""[default]
aws_access_key_id={KEYS.access_key}
aws_secret_access_key={KEYS.secret_key}
aws_session_token={KEYS.token}
"""
_WORD = st.text(string.ascii_letters + string.digits + "+/=", min_size=8, max_size=40)


@pytest.mark.parametrize(
    "text",
    [
        ACADEMY,
        ACADEMY.replace("\n", "\r\n"),
        "some words before\n\n" + ACADEMY + "\nand behind",
        f'export AWS_ACCESS_KEY_ID="{KEYS.access_key}"\nexport AWS_SECRET_ACCESS_KEY='
        f'"{KEYS.secret_key}"\nexport AWS_SESSION_TOKEN="{KEYS.token}"',
        f"set AWS_ACCESS_KEY_ID={KEYS.access_key}\nset AWS_SECRET_ACCESS_KEY={KEYS.secret_key}\n"
        f"SET AWS_SESSION_TOKEN={KEYS.token}",
        f'$Env:AWS_ACCESS_KEY_ID="{KEYS.access_key}"\n$Env:AWS_SECRET_ACCESS_KEY='
        f'"{KEYS.secret_key}"\n$Env:AWS_SESSION_TOKEN="{KEYS.token}"',
    ],
)
def test_a_block_is_understood_as_it_is_copied(text: str) -> None:
    assert parse_pasted(text) == KEYS
    assert KEYS.secret_key not in masked(f"said {KEYS.secret_key}")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", "aws_access_key_id, aws_secret_access_key"),
        (ACADEMY[: ACADEMY.index("aws_session_token")], "aws_session_token"),
        (f"aws_access_key_id={KEYS.access_key}", "aws_secret_access_key"),
        ("[default]\naws_access_key_id=\naws_secret_access_key=x", "aws_access_key_id"),
    ],
)
def test_half_a_block_is_refused_and_not_quoted(text: str, missing: str) -> None:
    with pytest.raises(CredentialsError) as refused:
        parse_pasted(text)
    assert refused.value.message.endswith(missing)
    assert "ASIA" not in str(refused.value)


@given(st.text(max_size=400))
def test_no_text_is_more_than_refused(text: str) -> None:
    with contextlib.suppress(CredentialsError):
        parse_pasted(text)


@given(st.builds(Keys, _WORD, _WORD, st.none() | _WORD, st.none() | st.integers(0, 2**31)))
def test_what_is_saved_is_what_is_read(keys: Keys) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "credentials")
        file.write_text("# mine\n[other]\naws_access_key_id = AKIAOTHER\n\n[lab]\nregion = x\n")
        save_profile(file, "lab", keys)
        section = profile_section(file, "lab")
        assert section["aws_access_key_id"] == keys.access_key
        assert section["aws_secret_access_key"] == keys.secret_key
        assert section.get("aws_session_token") == keys.token
        assert section["region"] == "x"
        assert end_said(section) == keys.ends_at
        assert profile_section(file, "other") == {"aws_access_key_id": "AKIAOTHER"}
        assert file.read_text().startswith("# mine\n[other]\n")


def test_a_file_is_made_private_and_saved_twice_stays_one_profile(tmp_path: Path) -> None:
    file = tmp_path / "new" / "credentials"
    save_profile(file, "default", Keys("AKIAOLDER", "older-secret"))
    save_profile(file, "default", KEYS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().count("[default]") == 1
    assert "older-secret" not in file.read_text()
    parser = configparser.RawConfigParser(strict=True)
    parser.read(file)
    assert parser["default"]["aws_session_token"] == KEYS.token


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("[default]\n")
    (tmp_path / "credentials").symlink_to(tmp_path / "real")
    save_profile(tmp_path / "credentials", "default", KEYS)
    assert (tmp_path / "credentials").is_symlink()
    assert KEYS.access_key in (tmp_path / "real").read_text()


def test_a_left_over_security_token_is_found_by_its_line_and_goes_with_a_save(
    tmp_path: Path,
) -> None:
    file = tmp_path / "credentials"
    file.write_text("[a]\naws_security_token = x\n" + ACADEMY + "aws_security_token = stale\n")
    assert stale_token_line(file, "default") == 7
    assert stale_token_line(file, "a") is None  # alone it is the token
    save_profile(file, "default", KEYS)
    assert stale_token_line(file, "default") is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-25T14:00:00Z", 1795615200.0),
        ("2026-11-25T16:00:00+02:00", 1795615200.0),
        ("2026-11-25 14:00:00", 1795615200.0),
        ("soon", None),
    ],
)
def test_the_end_that_a_file_says(text: str, moment: float | None) -> None:
    for name in ("aws_credential_expiration", "x_security_token_expires", "aws_expiration"):
        assert end_said({name: text}) == moment
