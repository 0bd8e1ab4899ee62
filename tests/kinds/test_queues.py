"""What commands do with a queue's messages: count, throw away, send back."""

from __future__ import annotations

import threading

import pytest

from labctl.kinds.base import Actual
from labctl.kinds.sqs_messages import depth, purge, redrive
from tests.contract.bench import Bench, bench
from tests.contract.endpoints import Endpoint, endpoint
from tests.contract.kind_cases import model

__all__ = ["Endpoint", "bench", "endpoint"]


def fill(bench: Bench, queue: Actual, bodies: list[str]) -> None:
    sqs = bench.endpoint.client("sqs")
    fifo = {"MessageGroupId": "all"} if queue.name.endswith(".fifo") else {}
    for number, body in enumerate(bodies):
        unique = {"MessageDeduplicationId": f"{number}"} if fifo else {}
        sqs.send_message(
            QueueUrl=queue.id,
            MessageBody=body,
            MessageAttributes={"job_id": {"DataType": "String", "StringValue": f"job-{body}"}},
            **fifo,
            **unique,
        )


def drain(bench: Bench, queue: Actual) -> dict[str, str]:
    sqs, found = bench.endpoint.client("sqs"), {}
    while messages := sqs.receive_message(
        QueueUrl=queue.id, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
    ).get("Messages"):
        for message in messages:
            found[message["Body"]] = message["MessageAttributes"]["job_id"]["StringValue"]
            sqs.delete_message(QueueUrl=queue.id, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_the_depth_counts_waiting_worked_on_and_delayed(bench: Bench) -> None:
    queue = bench.make("queue", model("sqs.queue", receive_wait="0s"))
    fill(bench, queue, ["a", "b", "c"])
    sqs = bench.endpoint.client("sqs")
    sqs.send_message(QueueUrl=queue.id, MessageBody="later", DelaySeconds=600)
    sqs.receive_message(QueueUrl=queue.id, MaxNumberOfMessages=1)
    counted = depth(bench.endpoint.target, queue)
    assert (counted.visible, counted.in_flight, counted.delayed) == (2, 1, 1)


def test_purge_empties(bench: Bench) -> None:
    queue = bench.make("queue", model("sqs.queue", receive_wait="0s"))
    fill(bench, queue, ["a", "b"])
    purge(bench.endpoint.target, queue)
    assert depth(bench.endpoint.target, queue).visible == 0


@pytest.mark.parametrize("fifo", [False, True])
def test_redrive_sends_every_message_back_as_it_was(bench: Bench, fifo: bool) -> None:
    dead = bench.make("dead", model("sqs.queue", fifo=fifo))
    source = bench.make(
        "source", model("sqs.queue", fifo=fifo, receive_wait="0s", dead_letter={"to": "dead"})
    )
    bodies = [f"body {number} \u00e4" for number in range(23)]
    fill(bench, dead, bodies)
    moved = redrive(bench.endpoint.target, dead, source, cancelled=threading.Event())
    assert moved == 23
    assert drain(bench, source) == {body: f"job-{body}" for body in bodies}
    assert depth(bench.endpoint.target, dead).visible == 0


def test_redrive_of_nothing_moves_nothing_and_a_cancelled_one_stops(bench: Bench) -> None:
    dead = bench.make("dead", model("sqs.queue"))
    source = bench.make("source", model("sqs.queue"))
    stopped = threading.Event()
    stopped.set()
    fill(bench, dead, ["a"])
    assert redrive(bench.endpoint.target, dead, source, cancelled=stopped) == 0
    assert redrive(bench.endpoint.target, dead, source, cancelled=threading.Event()) == 1
    assert redrive(bench.endpoint.target, dead, source, cancelled=threading.Event()) == 0
