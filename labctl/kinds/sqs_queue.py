"""Kind `sqs.queue`: a message queue, its attributes and its dead-letter queue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from labctl.kinds.base import Actual, Change, Context, Kind
from labctl.kinds.ownership import all_tags, bears, must_be_ours
from labctl.kinds.waiting import wait_for
from labctl.spec.fields import Duration, ResourceModel, ResourceName, Size, StrictModel
from labctl.targets.base import Target
from labctl.targets.failures import or_none

_LOOKS_AT_ONCE = 16


def _seconds(low_s: float, high_s: float, text: str) -> Any:  # noqa: ANN401 - pydantic's own type
    return Field(ge=low_s, le=high_s, multiple_of=1, description=text)


class DeadLetter(StrictModel):
    """Where messages go that no worker could finish."""

    to: Annotated[
        str, ResourceName(("sqs.queue",)), Field(description="A queue of this lab, by its name.")
    ]
    after: Annotated[int, Field(ge=1, le=1000, description="Receives before it gives up.")] = 5


class QueueModel(ResourceModel):
    """A queue, as a lab file describes it."""

    kind: Literal["sqs.queue"] = "sqs.queue"
    visibility_timeout: Annotated[
        Duration, _seconds(0, 43_200, "How long a received message stays hidden (0s to 12h).")
    ] = 30.0
    retention: Annotated[
        Duration, _seconds(60, 1_209_600, "How long a message is kept (1m to 14d).")
    ] = 1_209_600.0
    delay: Annotated[
        Duration, _seconds(0, 900, "How long a new message stays hidden (0s to 15m).")
    ] = 0.0
    receive_wait: Annotated[
        Duration, _seconds(0, 20, "How long a receive waits for a message (0s to 20s).")
    ] = 20.0
    max_message_size: Annotated[Size, Field(ge=1024, le=1_048_576, description="1KiB to 1MiB.")] = (
        262_144
    )
    fifo: Annotated[bool, Field(description="First in, first out; its name ends in .fifo.")] = False
    content_based_deduplication: Annotated[
        bool, Field(description="Only of fifo queues: equal bodies within 5 minutes are one.")
    ] = False
    encryption: Annotated[
        Literal["sqs-managed", "none"], Field(description="Encryption at rest.")
    ] = "sqs-managed"
    dead_letter: DeadLetter | None = None

    @model_validator(mode="after")
    def _fields_fit_together(self) -> QueueModel:
        if self.content_based_deduplication and not self.fifo:
            raise ValueError("content_based_deduplication needs fifo: true")
        return self


class SqsQueue(Kind[QueueModel]):
    """Queues. Found by name; tags are set by the call that creates."""

    name = "sqs.queue"
    model = QueueModel
    outputs = ("url", "arn", "name")
    actions = (
        "sqs:ChangeMessageVisibility",
        "sqs:CreateQueue",
        "sqs:DeleteMessage",
        "sqs:DeleteQueue",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ListQueueTags",
        "sqs:ListQueues",
        "sqs:PurgeQueue",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
        "sqs:SetQueueAttributes",
        "sqs:TagQueue",
    )
    teardown_rank = 30

    def physical_name(self, name: str, want: QueueModel) -> str:
        """Return the name with the suffix that tells a first-in-first-out queue."""
        stem = name.removesuffix(".fifo").replace(".", "-")[:75]
        return f"{stem}.fifo" if want.fifo else stem

    def find(self, context: Context, want: QueueModel) -> Actual | None:
        """Return the queue of this name, if it is ours."""
        sqs = context.target.client("sqs")
        answer = or_none(lambda: sqs.get_queue_url(QueueName=context.name))
        if answer is None:
            return None
        actual = or_none(lambda: _read(sqs, answer["QueueUrl"]))
        if actual is not None:
            must_be_ours(context, f"queue {context.name}", actual.tags)
        return actual

    def create(self, context: Context, want: QueueModel) -> Actual:
        """Create the queue, or mend the one that an earlier try left."""
        standing = self.find(context, want)
        if standing is not None:
            changes = self.changes(context, want, standing)
            return self.update(context, want, standing, changes) if changes else standing
        sqs = context.target.client("sqs")
        fixed = {"FifoQueue": "true"} if want.fifo else {}
        attributes = {key: value for key, value in _attributes(context, want).items() if value}
        url = sqs.create_queue(
            QueueName=context.name,
            Attributes={**attributes, **fixed},
            tags=all_tags(context),
        )["QueueUrl"]
        actual = wait_for(
            lambda: or_none(lambda: _read(sqs, url)),
            f"queue {context.name} can be used",
            cancelled=context.cancelled,
        )
        # CreateQueue returns a queue that somebody else made meanwhile, if it is set up alike.
        must_be_ours(context, f"queue {context.name}", actual.tags)
        return actual

    def changes(self, context: Context, want: QueueModel, actual: Actual) -> list[Change]:
        """Return every attribute that is not as the lab file, or its default, says."""
        have = actual.attributes["settings"]
        return [
            Change(field, str(have.get(field, "unset")), value or "unset")
            for field, value in _attributes(context, want).items()
            if not _same(have.get(field), value)
        ]

    def update(
        self, context: Context, want: QueueModel, actual: Actual, changes: Sequence[Change]
    ) -> Actual:
        """Set what differs, and nothing else."""
        sqs = context.target.client("sqs")
        wanted = _attributes(context, want)
        differing = {change.field: wanted[change.field] for change in changes}
        sqs.set_queue_attributes(QueueUrl=actual.id, Attributes=differing)
        return _read(sqs, actual.id)

    def delete(self, context: Context, actual: Actual) -> None:
        """Delete the queue with its messages and wait until its name is free of it."""
        sqs = context.target.client("sqs")
        tags = or_none(lambda: sqs.list_queue_tags(QueueUrl=actual.id).get("Tags", {}))
        if tags is None:
            return
        must_be_ours(context, f"queue {actual.name}", tags)
        or_none(lambda: sqs.delete_queue(QueueUrl=actual.id))
        wait_for(
            lambda: None if or_none(lambda: sqs.list_queue_tags(QueueUrl=actual.id)) else True,
            f"queue {actual.name} is gone",
            cancelled=context.cancelled,
            deadline_s=120,
        )

    def list_tagged(self, target: Target, tags: Mapping[str, str]) -> list[Actual]:
        """Return the queues with these tags; the list call shows none, so each is asked."""
        sqs = target.client("sqs")
        pages = sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1000})
        urls = [url for page in pages for url in page.get("QueueUrls", ())]

        def tags_of(url: str) -> dict[str, str] | None:
            answer = or_none(lambda: sqs.list_queue_tags(QueueUrl=url))
            return None if answer is None else dict(answer.get("Tags", {}))

        with ThreadPoolExecutor(_LOOKS_AT_ONCE, thread_name_prefix="queues") as pool:
            found = zip(urls, pool.map(tags_of, urls), strict=True)
            return [
                Actual(self.name, url.rsplit("/", 1)[-1], url, {"url": url}, borne)
                for url, borne in found
                if borne is not None and bears(borne, tags)
            ]

    def retag(self, context: Context, actual: Actual) -> None:
        """Set the tags; SQS keeps those that are not named."""
        sqs = context.target.client("sqs")
        or_none(lambda: sqs.tag_queue(QueueUrl=actual.id, Tags=all_tags(context)))


def _read(sqs: Any, url: str) -> Actual:  # noqa: ANN401 - boto3's client
    settings = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
    arn = settings["QueueArn"]
    name = arn.rsplit(":", 1)[-1]
    kept = {
        field: str(value) for field, value in settings.items() if not field.startswith("Approx")
    }
    return Actual(
        SqsQueue.name, name, url, {"url": url, "arn": arn, "name": name, "settings": kept}, tags
    )


def _attributes(context: Context, want: QueueModel) -> dict[str, str]:
    """Return the queue's attributes as SQS names them; an empty value takes one away."""
    wanted = {
        "VisibilityTimeout": f"{want.visibility_timeout:.0f}",
        "MessageRetentionPeriod": f"{want.retention:.0f}",
        "DelaySeconds": f"{want.delay:.0f}",
        "ReceiveMessageWaitTimeSeconds": f"{want.receive_wait:.0f}",
        "MaximumMessageSize": str(want.max_message_size),
        "SqsManagedSseEnabled": "true" if want.encryption == "sqs-managed" else "false",
        "RedrivePolicy": _redrive_policy(context, want),
    }
    if want.fifo:
        wanted["ContentBasedDeduplication"] = str(want.content_based_deduplication).lower()
    return wanted


def _redrive_policy(context: Context, want: QueueModel) -> str:
    if want.dead_letter is None:
        return ""
    dead = context.neighbours[want.dead_letter.to]
    return json.dumps(
        {"deadLetterTargetArn": dead.attributes["arn"], "maxReceiveCount": want.dead_letter.after}
    )


def _same(have: str | None, want: str) -> bool:
    if have is None or not want:
        return (have or "") == want
    if not want.startswith("{"):
        return have == want
    try:
        policy = json.loads(have)
        # Services give the number back as a text or as a number.
        return {key: str(value) for key, value in policy.items()} == {
            key: str(value) for key, value in json.loads(want).items()
        }
    except (ValueError, AttributeError):
        return False
