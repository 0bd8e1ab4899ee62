"""The queues and the table between labctl and the workers: send jobs, receive their replies."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from labctl.errors import LabctlError, TargetError, UsageError
from labctl.kinds.base import Actual
from labctl.ledger.results import DeadLetter, JobResult
from labctl.targets.base import Target
from labctl.targets.failures import classify
from labctl.text import one_line
from labctl.workloads.base import Request

BATCH = 10  # the most that SQS takes or gives in one call
MESSAGE_BYTES = 256 * 1024  # of one message, and of one batch
_ATTRIBUTE_BYTES = 512  # the job's id, and the types of all attributes
_STRANGER_HIDDEN_S = 5
_STRANGER_HIDDEN_LONGEST_S = 60
_PEEK_HIDDEN_S = 30
_PEEK_MOST = 1000
_LOOK_UP = 100
_WORKER_KEPT = 128  # characters of a worker's name, which stands in tables
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
# Everything outside what SQS carries: XML 1.0's characters.
_NOT_SENDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Returned = TypeVar("Returned")


@dataclass(frozen=True)
class Reply:
    """A message in the queue of answers; `result` is None for other clients' answers."""

    message_id: str
    receipt: str
    received: int  # how often this message was received, from 1
    result: JobResult | None


class Exchange:
    """Sends, receives, looks up. Passing refusals are waited out; others are `LabctlError`s."""

    def __init__(
        self,
        target: Target,
        *,
        requests: Actual,
        responses: Actual,
        results: Actual,
        dead: Actual | None,
        stop: threading.Event,
    ) -> None:
        self._sqs = target.client("sqs")
        self._target = target
        self._requests, self._responses = requests.id, responses.id
        self._table = results.name
        self._dead = dead
        self._stop = stop
        self._limit_bytes: int | None = None  # asked at the first job

    def send(self, jobs: Mapping[str, Request]) -> None:
        """Send up to ten jobs, request by job id, together not above `MESSAGE_BYTES`."""
        pending = {
            str(index): {
                "Id": str(index),
                "MessageBody": request.body,
                "MessageAttributes": _attributes({**request.attributes, "job_id": job_id}),
            }
            for index, (job_id, request) in enumerate(jobs.items())
        }
        while pending:
            answer = self.patiently(
                lambda: self._sqs.send_message_batch(
                    QueueUrl=self._requests, Entries=list(pending.values())
                )
            )
            for entry in answer.get("Successful", ()):
                del pending[entry["Id"]]
            for refusal in answer.get("Failed", ()):
                if refusal.get("SenderFault"):
                    raise TargetError(f"the queue refused a job: {refusal.get('Code')}")
            if pending and self._stop.wait(random.uniform(0.05, 0.2)):
                return

    def refuse_too_long(self, requests: Mapping[str, Request]) -> None:
        """Raise `UsageError` for a job that is longer than the queue was made to carry."""
        limit = self._longest_bytes()
        for job_id, request in requests.items():
            size = message_bytes(job_id, request)
            if size > limit:
                raise UsageError(
                    f"a job of {size} bytes is too long: its queue carries {limit}",
                    "raise the queue's max_message_size in the lab file",
                )

    def receive(self, *, wait_s: int) -> list[Reply]:
        """Return up to ten replies, waiting for at most so many seconds for the first."""
        answer = self.patiently(
            lambda: self._sqs.receive_message(
                QueueUrl=self._responses,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=wait_s,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        )
        return [read_reply(raw) for raw in answer.get("Messages", ())]

    def delete(self, replies: Sequence[Reply]) -> None:
        """Delete replies; one that could not be deleted comes again."""
        if replies:
            entries = [
                {"Id": str(index), "ReceiptHandle": reply.receipt}
                for index, reply in enumerate(replies)
            ]
            self.patiently(
                lambda: self._sqs.delete_message_batch(QueueUrl=self._responses, Entries=entries)
            )

    def leave(self, replies: Sequence[Reply]) -> None:
        """Leave other clients' replies in the queue, hidden from us for some seconds.

        At once visible again they would fill every receive; hidden longer the more often seen.
        """
        hidden_s = {
            reply: min(_STRANGER_HIDDEN_S * reply.received, _STRANGER_HIDDEN_LONGEST_S)
            for reply in replies
        }
        self._hide(self._responses, [(reply.receipt, s) for reply, s in hidden_s.items()])

    def give_back(self, replies: Collection[Reply]) -> None:
        """Make replies visible to their clients again."""
        self._hide(self._responses, [(reply.receipt, 0) for reply in replies])

    def stored(self, job_ids: Sequence[str]) -> Iterator[list[JobResult]]:
        """Yield the results that workers stored for these jobs, a hundred looked up at a time."""
        dynamodb = self._target.client("dynamodb")
        for start in range(0, len(job_ids), _LOOK_UP):
            keys = [{"id": {"S": job_id}} for job_id in job_ids[start : start + _LOOK_UP]]
            asked: Any = {self._table: {"Keys": keys, "ConsistentRead": True}}
            while asked:
                look_up = partial(dynamodb.batch_get_item, RequestItems=asked)
                answer = self.patiently(look_up)
                yield [_stored(item) for item in answer["Responses"].get(self._table, ())]
                asked = answer.get("UnprocessedKeys")

    def dead_letters(self) -> list[DeadLetter]:
        """Return what is in the dead-letter queue and leave it there."""
        if self._dead is None:
            return []
        url, after = self._dead.id, self._receives_allowed()
        letters: list[DeadLetter] = []
        receipts: list[tuple[str, int]] = []
        while len(letters) < _PEEK_MOST:
            answer = self.patiently(
                lambda: self._sqs.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=BATCH,
                    WaitTimeSeconds=1,
                    VisibilityTimeout=_PEEK_HIDDEN_S,
                    MessageAttributeNames=["job_id"],
                )
            )
            messages = answer.get("Messages", ())
            if not messages:
                break
            letters += [_dead_letter(message, after) for message in messages]
            receipts += [(message["ReceiptHandle"], 0) for message in messages]
        self._hide(url, receipts)
        return letters

    def patiently(self, call: Callable[[], Returned]) -> Returned:
        """Return what a call returns, repeated while its refusal is a passing one."""
        # Imported late: a lab file is validated without it.
        from botocore.exceptions import BotoCoreError, ClientError

        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return call()
            except (BotoCoreError, ClientError) as error:
                failure = classify(error)
                if failure.kind not in ("throttled", "transient"):
                    raise failure.error from error
                if self._stop.wait(pause_s * random.uniform(0.5, 1.0)):
                    raise failure.error from error
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _longest_bytes(self) -> int:
        if self._limit_bytes is None:
            answer = self.patiently(
                lambda: self._sqs.get_queue_attributes(
                    QueueUrl=self._requests, AttributeNames=["MaximumMessageSize"]
                )
            )
            limit = int(answer.get("Attributes", {}).get("MaximumMessageSize", MESSAGE_BYTES))
            self._limit_bytes = min(MESSAGE_BYTES, limit)
        return self._limit_bytes

    def _receives_allowed(self) -> str:
        answer = self.patiently(
            lambda: self._sqs.get_queue_attributes(
                QueueUrl=self._requests, AttributeNames=["RedrivePolicy"]
            )
        )
        policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
        return str(policy.get("maxReceiveCount", "several"))

    def _hide(self, url: str, receipts: Sequence[tuple[str, int]]) -> None:
        for start in range(0, len(receipts), BATCH):
            entries = [
                {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for index, (receipt, seconds) in enumerate(receipts[start : start + BATCH])
            ]
            change = self._sqs.change_message_visibility_batch
            self.patiently(partial(change, QueueUrl=url, Entries=entries))


def checked(request: Request) -> Request:
    """Return a request that a queue can carry; raises `UsageError` for any other."""
    if not request.body:
        raise UsageError("an empty job cannot be sent", "a queue carries no empty message")
    if any(_NOT_SENDABLE.search(text) for text in (request.body, *request.attributes.values())):
        raise UsageError("a job holds a control character that no queue carries", "remove it")
    size = request_bytes(request)
    if size > MESSAGE_BYTES:
        raise UsageError(f"a job of {size} bytes is too long", "a queue carries 256 KiB")
    return request


def request_bytes(request: Request) -> int:
    """Return the bytes that a job counts for in a batch, its attributes included."""
    texts = (request.body, *request.attributes, *request.attributes.values())
    return sum(len(text.encode()) for text in texts) + _ATTRIBUTE_BYTES


def message_bytes(job_id: str, request: Request) -> int:
    """Return the bytes of a job's message as a queue counts them."""
    texts = {**request.attributes, "job_id": job_id}
    named = sum(len(name.encode()) + len(text.encode()) for name, text in texts.items())
    return len(request.body.encode()) + named + len("String") * len(texts)


def read_reply(raw: Mapping[str, Any]) -> Reply:
    """Return a received message; what is no reply of our protocol has no result."""
    received = str(raw.get("Attributes", {}).get("ApproximateReceiveCount", "1"))
    return Reply(
        message_id=raw["MessageId"],
        receipt=raw["ReceiptHandle"],
        received=int(received) if received.isdecimal() else 1,
        result=_result(raw),
    )


def _result(raw: Mapping[str, Any]) -> JobResult | None:
    attributes = raw.get("MessageAttributes", {})

    def text(name: str) -> str:
        return str(attributes.get(name, {}).get("StringValue", ""))

    def number(name: str) -> int:
        digits = text(name)
        return int(digits) if re.fullmatch("[0-9]{1,12}", digits) else 0

    state = text("state")
    if not text("job_id") or state not in ("done", "failed"):
        return None
    return JobResult(
        job_id=text("job_id"),
        state="done" if state == "done" else "failed",
        answer=str(raw.get("Body", "")),
        worker=one_line(text("worker"), limit=_WORKER_KEPT),
        attempt=number("attempt"),
        worked_ms=number("worked_ms"),
    )


def _stored(item: Mapping[str, Any]) -> JobResult:
    return JobResult(
        job_id=item["id"]["S"],
        state="done" if item["state"]["S"] == "done" else "failed",
        answer=item["answer"]["S"],
        worker=one_line(item["worker"]["S"], limit=_WORKER_KEPT),
        attempt=int(item["attempt"]["N"]),
        worked_ms=int(item["worked_ms"]["N"]),
    )


def _dead_letter(message: Mapping[str, Any], after: str) -> DeadLetter:
    job_id = message.get("MessageAttributes", {}).get("job_id", {}).get("StringValue")
    reason = f"receive count exceeded: workers took it {after} times and never finished it"
    return DeadLetter(message["MessageId"], job_id, reason, str(message.get("Body", "")))


def _attributes(texts: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}


def exchange(
    target: Target,
    neighbours: Mapping[str, Actual],
    *,
    send: str,
    collect: str,
    results: str,
    dead: str | None,
    stop: threading.Event,
) -> Exchange:
    """Return the exchange over a lab's resources, by their lab-file names."""
    missing = [name for name in (send, collect, results, dead) if name and name not in neighbours]
    if missing:
        raise LabctlError(f"{', '.join(missing)}: not up", "labctl up brings the lab up")
    return Exchange(
        target,
        requests=neighbours[send],
        responses=neighbours[collect],
        results=neighbours[results],
        dead=neighbours[dead] if dead else None,
        stop=stop,
    )
