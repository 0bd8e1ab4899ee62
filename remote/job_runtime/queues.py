"""The worker's two queues: take messages, answer them, delete them, keep or return them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from job_runtime.cloud import Cloud, NotYet
from job_runtime.jobs import is_job_id
from job_runtime.results_table import Result

# SIGTERM leaves some ten seconds; what a longer poll took after that would be stranded.
POLL_S = 4
BATCH = 10
MESSAGE_BYTES = 256 * 1024
_JOB_ID = "job_id"
_ATTRIBUTE_BYTES = 1024  # of a message's limit, kept for the attributes of an answer


@dataclass(frozen=True)
class Message:
    """One delivery of a request; `job_id` is None for clients of the plain protocol."""

    id: str
    receipt: str
    body: str
    job_id: str | None
    attempt: int
    attributes: Mapping[str, str] = field(default_factory=dict)  # the texts, the job's id excepted


def read_message(raw: Mapping[str, Any]) -> Message:
    """Return a received message; an id that could not be a file's name counts as none."""
    attributes = {
        name: str(attribute.get("StringValue", ""))
        for name, attribute in raw.get("MessageAttributes", {}).items()
        if attribute.get("DataType") == "String"
    }
    text = attributes.pop(_JOB_ID, "")
    count = str(raw.get("Attributes", {}).get("ApproximateReceiveCount", "1"))
    return Message(
        id=str(raw["MessageId"]),
        receipt=str(raw["ReceiptHandle"]),
        body=str(raw.get("Body", "")),
        job_id=text if is_job_id(text) else None,
        attempt=int(count) if count.isdecimal() else 1,
        attributes=attributes,
    )


class Queues:
    """The queue of requests and the queue of answers; failed parts of batches are retried."""

    def __init__(self, cloud: Cloud, *, requests: str, responses: str) -> None:
        self._cloud = cloud
        self._requests = requests
        self._responses = responses

    def limits(self, *, until: threading.Event) -> tuple[int, int]:
        """Return the visibility of requests in seconds and the most bytes of an answer.

        Returns only once both queues answered.
        """
        visibility_s = self._attribute(self._requests, "VisibilityTimeout", until)
        longest = self._attribute(self._responses, "MaximumMessageSize", until)
        return max(1, visibility_s), min(MESSAGE_BYTES, longest) - _ATTRIBUTE_BYTES

    def receive(self, *, until: threading.Event) -> list[Message]:
        """Wait for up to ten messages, at most `POLL_S` seconds."""
        answer = self._cloud.call(
            "sqs",
            "receive_message",
            {
                "QueueUrl": self._requests,
                "MaxNumberOfMessages": BATCH,
                "WaitTimeSeconds": POLL_S,
                "MessageAttributeNames": ["All"],
                "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
            },
            until=until,
        )
        return [read_message(raw) for raw in answer.get("Messages", [])]

    def answer(self, answers: Sequence[tuple[Message, Result]]) -> set[str]:
        """Send the answers and return the ids of the messages whose answer was sent."""
        entries = [_answer_entry(message, result) for message, result in answers]
        sent = self._in_batches(self._responses, "send_message_batch", entries)
        return {answers[index][0].id for index in sent}

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages; one that another worker holds by now is left to that worker."""
        self._by_receipt("delete_message_batch", messages)

    def keep(self, messages: Sequence[Message], *, seconds: int) -> None:
        """Extend the hold on messages; one that another worker holds by now stays with it."""
        self._by_receipt("change_message_visibility_batch", messages, seconds)

    def give_back(self, messages: Sequence[Message]) -> None:
        """Return messages to the queue, at once visible to others."""
        self._by_receipt("change_message_visibility_batch", messages, 0)

    def _attribute(self, url: str, name: str, until: threading.Event) -> int:
        arguments = {"QueueUrl": url, "AttributeNames": [name]}
        answer = self._cloud.call("sqs", "get_queue_attributes", arguments, until=until)
        return int(answer["Attributes"][name])

    def _by_receipt(
        self, operation: str, messages: Sequence[Message], seconds: int | None = None
    ) -> None:
        extra = {} if seconds is None else {"VisibilityTimeout": seconds}
        entries = [{"ReceiptHandle": message.receipt, **extra} for message in messages]
        self._in_batches(self._requests, operation, entries)

    def _in_batches(
        self, url: str, operation: str, entries: Sequence[Mapping[str, Any]]
    ) -> list[int]:
        accepted: list[int] = []
        numbered = [{"Id": str(index), **entry} for index, entry in enumerate(entries)]
        for batch in _batches(numbered, _entry_bytes):
            accepted += self._whole_batch(url, operation, batch)
        return accepted

    def _whole_batch(
        self, url: str, operation: str, batch: Sequence[Mapping[str, Any]]
    ) -> list[int]:
        accepted: list[int] = []
        pending = list(batch)

        def attempt() -> None:
            arguments = {"QueueUrl": url, "Entries": pending}
            answer = self._cloud.call("sqs", operation, arguments)
            accepted.extend(int(entry["Id"]) for entry in answer.get("Successful", []))
            # A sender's fault stays one however often it is sent.
            busy = {e["Id"] for e in answer.get("Failed", []) if not e.get("SenderFault")}
            pending[:] = [entry for entry in pending if entry["Id"] in busy]
            if pending:
                raise NotYet

        self._cloud.patiently(attempt)
        return accepted


def _answer_entry(message: Message, result: Result) -> dict[str, Any]:
    if message.job_id is None:
        return {"MessageBody": result.answer}
    return {
        "MessageBody": result.answer,
        "MessageAttributes": {
            _JOB_ID: {"DataType": "String", "StringValue": message.job_id},
            "state": {"DataType": "String", "StringValue": result.state},
            "worker": {"DataType": "String", "StringValue": result.worker},
            "attempt": {"DataType": "Number", "StringValue": str(result.attempt)},
            "worked_ms": {"DataType": "Number", "StringValue": str(result.worked_ms)},
        },
    }


def _entry_bytes(entry: Mapping[str, Any]) -> int:
    body = entry.get("MessageBody")
    return len(body.encode()) + _ATTRIBUTE_BYTES if body is not None else 0


def _batches(
    entries: Iterable[dict[str, Any]], size_of: Callable[[Mapping[str, Any]], int]
) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    filled = 0
    for entry in entries:
        size = size_of(entry)
        if batch and (len(batch) == BATCH or filled + size > MESSAGE_BYTES):
            yield batch
            batch, filled = [], 0
        batch.append(entry)
        filled += size
    if batch:
        yield batch
