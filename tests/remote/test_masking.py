"""A worker's log holds none of its keys, though a service sends them back."""

from __future__ import annotations

import pytest

from job_runtime.log_lines import say
from job_runtime.masking import keep_secrets, masked

SECRET = "wR5/tY+8uI1oP4aS7dF0gH3jK6lZ9xC2vB5nM8qW"


def test_a_line_holds_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    keep_secrets(SECRET, None)
    signed = f"X-Amz-Security-Token=other%2Ftoken%2Fof%2Fsomebody&X-Amz-Signature={'0f' * 32}"
    say("failed", error=f"you sent {SECRET} or wR5%2FtY%2B8uI1oP4aS7dF or {SECRET[:20]} {signed}")
    line = capsys.readouterr().out
    assert line.count("****") == 5
    assert not any(piece in line for piece in ("8uI1o", "0f0f", "somebody"))


def test_other_text_stays() -> None:
    assert masked("ready for SignatureDoesNotMatch: x") == "ready for SignatureDoesNotMatch: x"
