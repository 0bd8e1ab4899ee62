"""What a job is to the function that does it, and what that function gives back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["done", "failed"]

_JOB_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,127}")
# Everything outside what SQS carries: XML 1.0's characters.
_NOT_SENDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Job:
    """One request. The body is data from a stranger: never a path, a template or code.

    `id` is None for a client of the plain protocol; `attempt` counts deliveries from 1;
    `attributes` are the message's texts by name, as much a stranger's as the body.
    """

    id: str | None
    body: str
    attempt: int
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a job ended; a failed job's answer is its reason."""

    state: State
    answer: str


def done(answer: str) -> Outcome:
    """Return the outcome of a job that succeeded."""
    return Outcome("done", answer)


def failed(reason: str) -> Outcome:
    """Return the outcome of a job that failed for good; another attempt would fail as well."""
    return Outcome("failed", reason)


def is_job_id(text: str) -> bool:
    """Tell whether a text may stand as a job id: it could safely be part of a file's name."""
    return _JOB_ID.fullmatch(text) is not None


def sendable(outcome: Outcome, *, limit_bytes: int) -> Outcome:
    """Return an outcome that a queue can carry: allowed characters, not empty, not too long."""
    answer = _NOT_SENDABLE.sub("\ufffd", outcome.answer)
    size = len(answer.encode())
    if not answer:
        return failed("the job gave an empty answer")
    if size <= limit_bytes:
        return Outcome(outcome.state, answer)
    if outcome.state == "failed":
        return failed(answer.encode()[:limit_bytes].decode(errors="ignore"))
    return failed(f"the answer has {size} bytes and a message carries {limit_bytes}")
