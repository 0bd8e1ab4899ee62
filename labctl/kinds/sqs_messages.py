"""What commands do with the messages of a queue: count them, throw them away, send them back."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl.errors import TargetError
from labctl.kinds.base import Actual
from labctl.targets.base import Target
from labctl.targets.failures import code_of

_BATCH = 10  # the most that SQS takes or gives in one call
_HIDDEN_WHILE_MOVED_S = 60


@dataclass(frozen=True)
class Depth:
    """How many messages a queue holds; SQS counts approximately."""

    visible: int
    in_flight: int
    delayed: int


def depth(target: Target, queue: Actual) -> Depth:
    """Return how many messages wait, are being worked on, and are still delayed."""
    counts = target.client("sqs").get_queue_attributes(
        QueueUrl=queue.id,
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )["Attributes"]
    return Depth(
        visible=int(counts["ApproximateNumberOfMessages"]),
        in_flight=int(counts["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(counts["ApproximateNumberOfMessagesDelayed"]),
    )


def purge(target: Target, queue: Actual) -> None:
    """Throw away every message of a queue; on AWS it takes up to a minute to take effect."""
    sqs = target.client("sqs")
    try:
        sqs.purge_queue(QueueUrl=queue.id)
    except sqs.exceptions.ClientError as error:
        if code_of(error).endswith("PurgeQueueInProgress"):
            raise TargetError(
                f"{queue.name} was purged within the last minute", "SQS allows one purge a minute"
            ) from error
        raise


def redrive(target: Target, dead: Actual, source: Actual, *, cancelled: threading.Event) -> int:
    """Send the messages of a dead-letter queue back to where they came from; return how many.

    A message leaves the dead-letter queue only after the other queue has it: one that is stopped
    half-way may then be in both, never in none.
    """
    sqs = target.client("sqs")
    moved = 0
    while not cancelled.is_set():
        messages = sqs.receive_message(
            QueueUrl=dead.id,
            MaxNumberOfMessages=_BATCH,
            WaitTimeSeconds=1,
            VisibilityTimeout=_HIDDEN_WHILE_MOVED_S,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        if not messages:
            return moved
        for message in messages:
            sqs.send_message(QueueUrl=source.id, **_again(message, fifo=_is_fifo(source)))
            sqs.delete_message(QueueUrl=dead.id, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def _is_fifo(queue: Actual) -> bool:
    return queue.name.endswith(".fifo")


def _again(message: Mapping[str, Any], *, fifo: bool) -> dict[str, Any]:
    """Return what sends the same message once more."""
    sent: dict[str, Any] = {"MessageBody": message["Body"]}
    if attributes := message.get("MessageAttributes"):
        sent["MessageAttributes"] = {
            name: {key: part for key, part in value.items() if not key.endswith("ListValues")}
            for name, value in attributes.items()
        }
    if fifo:
        system = message["Attributes"]
        sent["MessageGroupId"] = system["MessageGroupId"]
        # The old deduplication id would make SQS drop it within five minutes of the first send.
        sent["MessageDeduplicationId"] = message["MessageId"]
    return sent
