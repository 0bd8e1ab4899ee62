"""What a client of a road does: send requests, collect answers, look into queue and table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.remote.aws import Road


@dataclass(frozen=True)
class Reply:
    """One answer as it came."""

    body: str
    attributes: Mapping[str, str]

    @property
    def job_id(self) -> str | None:
        return self.attributes.get("job_id")


class Client:
    """Talks to the queues of a road with plain calls."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self.sqs = road.server.client("sqs")
        self._dynamodb = road.server.client("dynamodb")

    def send(self, body: str, job_id: str | None = None) -> None:
        attributes = (
            {} if job_id is None else {"job_id": {"DataType": "String", "StringValue": job_id}}
        )
        self.sqs.send_message(
            QueueUrl=self._road.requests, MessageBody=body, MessageAttributes=attributes
        )

    def bury(self, body: str, job_id: str) -> None:
        """Put a request into the dead-letter queue."""
        attributes = {"job_id": {"DataType": "String", "StringValue": job_id}}
        self.sqs.send_message(
            QueueUrl=self._road.dead, MessageBody=body, MessageAttributes=attributes
        )

    def answer(self, job_id: str, answer: str) -> None:
        """Answer a job as a worker does."""
        texts = {"job_id": job_id, "state": "done", "worker": "by hand"}
        self.sqs.send_message(
            QueueUrl=self._road.responses,
            MessageBody=answer,
            MessageAttributes={
                **{
                    name: {"DataType": "String", "StringValue": text}
                    for name, text in texts.items()
                },
                "attempt": {"DataType": "Number", "StringValue": "1"},
                "worked_ms": {"DataType": "Number", "StringValue": "1"},
            },
        )

    def collect(self, count: int, *, within_s: float = 30) -> list[Reply]:
        """Return `count` answers, deleted from the queue, or fewer after the deadline."""
        replies: list[Reply] = []
        until = time.monotonic() + within_s
        while len(replies) < count and time.monotonic() < until:
            for message in self._receive(self._road.responses):
                attributes = message.get("MessageAttributes", {})
                values = {name: str(value["StringValue"]) for name, value in attributes.items()}
                replies.append(Reply(message["Body"], values))
                self.sqs.delete_message(
                    QueueUrl=self._road.responses, ReceiptHandle=message["ReceiptHandle"]
                )
        return replies

    def dead(self) -> list[str]:
        """Return the bodies in the dead-letter queue; they are hidden afterwards."""
        return [message["Body"] for message in self._receive(self._road.dead)]

    def depth(self, queue: str = "") -> tuple[int, int]:
        """Return how many messages are visible and how many are held; of requests by default."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = queue or self._road.requests
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        visible, held = (int(answer["Attributes"][name]) for name in names)
        return visible, held

    def results(self) -> dict[str, dict[str, str]]:
        """Return every stored result by job id."""
        items = self._dynamodb.scan(TableName=self._road.results, ConsistentRead=True)["Items"]
        return {
            item["id"]["S"]: {name: next(iter(value.values())) for name, value in item.items()}
            for item in items
        }

    def store(self, job_id: str, answer: str) -> None:
        """Store a result as a worker does that is killed before it answers."""
        self._dynamodb.put_item(
            TableName=self._road.results,
            Item={
                "id": {"S": job_id},
                "state": {"S": "done"},
                "answer": {"S": answer},
                "worker": {"S": "gone"},
                "attempt": {"N": "1"},
                "worked_ms": {"N": "5"},
            },
        )

    def take_and_drop(self) -> int:
        """Receive every request and return it at once, as a worker does that fails."""
        messages = self._receive(self._road.requests)
        for message in messages:
            self.sqs.change_message_visibility(
                QueueUrl=self._road.requests,
                ReceiptHandle=message["ReceiptHandle"],
                VisibilityTimeout=0,
            )
        return len(messages)

    def _receive(self, url: str) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages
