"""A sharp hand-written worker: threads, long polling, everything in batches of ten.

No result is stored, nothing held longer than its visibility, no log kept: what a good programmer
writes in an afternoon who has not yet lost a job.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "remote"))
from job_runtime import Job  # the path is set above
from numbers_worker.four_figures import work

THREADS = 4


def loop(sqs: Any) -> None:  # noqa: ANN401 - boto3's client
    requests, responses = os.environ["REQUESTS"], os.environ["RESPONSES"]
    while True:
        messages = sqs.receive_message(
            QueueUrl=requests,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=20,
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        if not messages:
            continue
        answers = [
            {
                "Id": str(index),
                "MessageBody": work(Job(None, message["Body"], 1)).answer,
                "MessageAttributes": message.get("MessageAttributes", {}),
            }
            for index, message in enumerate(messages)
        ]
        sqs.send_message_batch(QueueUrl=responses, Entries=answers)
        done = [
            {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
            for index, message in enumerate(messages)
        ]
        sqs.delete_message_batch(QueueUrl=requests, Entries=done)


def main() -> None:
    config = Config(max_pool_connections=THREADS, parameter_validation=False)
    sqs = boto3.client("sqs", config=config)
    threads = [threading.Thread(target=loop, args=[sqs]) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    print("ready", flush=True)  # noqa: T201 - the benchmark waits for it
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
