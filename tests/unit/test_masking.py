"""Secrets are hidden however they are spelled, cut or parted, and what is no secret stays."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.masking import HIDDEN, hide, known
from labctl.text import harmless, keep_secret, masked, one_line

SECRET = "kQ7/vT+2xR9==pLm4/Zs8+bN1cW6yHdF3gJ5aE0u"
TOKEN = base64.b64encode(hashlib.sha512(b"a token").digest() * 2).decode()


@pytest.mark.parametrize("secret", [SECRET, TOKEN])
@pytest.mark.parametrize(
    "spelled",
    [
        str,
        json.dumps,
        lambda text: json.dumps(json.dumps(json.dumps({"a": text}).replace("/", "\\/"))),
        lambda text: quote(text, safe=""),
        lambda text: text.replace("+", "\\u002b").replace("=", "\\u003D"),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.b64encode(f"u:{text}".encode()).decode(),
        lambda text: base64.b64encode(f"us:{text}".encode()).decode(),
        lambda text: text[:25],
    ],
)
def test_no_piece_stays_in_any_spelling(secret: str, spelled: Callable[[str], str]) -> None:
    said = hide(f"before {spelled(secret)} after", known([SECRET, TOKEN]))
    found = re.fullmatch("before (.*) after", said)
    assert found is not None
    assert HIDDEN in found[1]
    assert len(found[1]) < 40
    assert not re.search("[A-Za-z0-9]{8}", found[1])


@pytest.mark.parametrize(
    "text",
    [
        "key AKIAIOSFODNN7EXAMPLE",
        '{"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}',
        "aws_session_token = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "https://b/k?X-Amz-Signature=0123456789abcdef0123456789abcdef&x=1",
        "IQoJb3JpZ2luX2VjEXAMPLEEXAMPLEEXAMPLE",
    ],
)
def test_an_unknown_key_is_hidden_by_its_shape(text: str) -> None:
    assert not any(part in hide(text, None) for part in ("EXAMPLE", "0123456789abcdef"))


@pytest.mark.parametrize(
    "text",
    [
        "credentials:4: a left-over aws_security_token wins over aws_session_token: delete it",
        "the service's error code is SignatureDoesNotMatch",
        "i-0123456789abcdef0 arn:aws:iam::111111111111:role/LabRole",
        "4f1c2d3e4b5a69788796a5b4c3d2e1f001234567",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert hide(text, known([SECRET, TOKEN])) == text


@given(st.text(), st.integers(0, 60))
def test_a_text_is_masked_before_it_is_cut(before: str, limit: int) -> None:
    keep_secret(SECRET)
    assert SECRET[:12] not in harmless(f"{before}{SECRET}", limit=limit)
    assert SECRET[:12] not in one_line(f"{before} {SECRET}", limit=limit)


def test_an_escape_sequence_in_a_secret_does_not_save_it() -> None:
    keep_secret(SECRET)
    assert SECRET[20:] not in harmless(f"{SECRET[:20]}\x1b[0m{SECRET[20:]}")


@pytest.mark.parametrize("short", ["", "testing"])
def test_what_is_short_is_no_secret(short: str) -> None:
    keep_secret(short)
    assert masked("testing it") == "testing it"
