"""What the runtime makes of received messages and of the answers that jobs give."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_runtime.jobs import Outcome, done, failed, is_job_id, sendable
from job_runtime.queues import read_message
from tests.remote.hostile import BAD_IDS

ALLOWED = re.compile(r"[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")


def raw(job_id: Any = None, *, kind: str = "String", count: Any = "1") -> dict[str, Any]:  # noqa: ANN401 - hostile on purpose
    attributes = {} if job_id is None else {"job_id": {"DataType": kind, "StringValue": job_id}}
    return {
        "MessageId": "m",
        "ReceiptHandle": "r",
        "Body": "1,2",
        "Attributes": {"ApproximateReceiveCount": count},
        "MessageAttributes": attributes,
    }


@pytest.mark.parametrize("job_id", ["a", "k3v9-1a2b-000001", "A.b_c-d", "x" * 128, "0"])
def test_a_proper_id_is_taken(job_id: str) -> None:
    assert read_message(raw(job_id)).job_id == job_id


@pytest.mark.parametrize("job_id", ["", *BAD_IDS])
def test_an_id_that_is_no_name_counts_as_none(job_id: str) -> None:
    assert read_message(raw(job_id)).job_id is None


@given(st.text(max_size=140))
def test_every_accepted_id_is_harmless_in_a_path(text: str) -> None:
    if is_job_id(text):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", text)
        assert ".." not in text


def test_fake_attributes_are_taken_for_none() -> None:
    assert read_message(raw("7", kind="Number")).job_id is None
    binary = raw("x", kind="Binary")
    binary["MessageAttributes"]["job_id"] = {"DataType": "Binary", "BinaryValue": b"x"}
    assert read_message(binary).job_id is None
    assert read_message(raw("x", count="many")).attempt == 1
    assert read_message(raw("x", count="7")).attempt == 7
    assert read_message({"MessageId": "m", "ReceiptHandle": "r"}).body == ""


def test_further_texts_of_a_message_are_kept_by_name() -> None:
    message = raw("a")
    message["MessageAttributes"]["op"] = {"DataType": "String", "StringValue": "gray"}
    message["MessageAttributes"]["size"] = {"DataType": "Number", "StringValue": "7"}
    assert read_message(message).attributes == {"op": "gray"}


outcomes = st.builds(Outcome, st.sampled_from(["done", "failed"]), st.text())


@given(outcomes, st.integers(64, 5000))
def test_what_is_sendable_fits_and_holds_allowed_characters(outcome: Outcome, limit: int) -> None:
    sent = sendable(outcome, limit_bytes=limit)
    assert ALLOWED.fullmatch(sent.answer)
    assert len(sent.answer.encode()) <= limit
    assert sendable(sent, limit_bytes=limit) == sent


def test_an_answer_that_fits_is_not_touched() -> None:
    assert sendable(done("The answer\n"), limit_bytes=100) == done("The answer\n")


def test_what_cannot_be_sent_fails_with_its_reason() -> None:
    assert sendable(done("x" * 101), limit_bytes=100).state == "failed"
    assert "101 bytes" in sendable(done("x" * 101), limit_bytes=100).answer
    assert sendable(done(""), limit_bytes=100) == failed("the job gave an empty answer")
    assert sendable(failed("\u20ac" * 100), limit_bytes=100) == failed("\u20ac" * 33)
    assert sendable(done("a\x1b[2Jb\ud800"), limit_bytes=100) == done("a\ufffd[2Jb\ufffd")
