"""The original course's worker, written anew from its description, faults included.

It deletes a message before it works on it, sends each answer by a call of its own, and writes
the whole dated log back to the bucket for every request.
"""

from __future__ import annotations

import os
import statistics
from datetime import UTC, datetime
from typing import Any

import boto3


def four_lines(body: str) -> str:
    numbers = [int(text) for text in body.split(",")]
    return (
        f"The list minimum is : {min(numbers)} \n"
        f"The list maximum is : {max(numbers)} \n"
        f"The list average is : {statistics.mean(numbers)} \n"
        f"The list median is : {statistics.median(numbers)} "
    )


def main() -> None:
    sqs: Any = boto3.client("sqs")
    s3: Any = boto3.client("s3")
    bucket, log = os.environ["ARCHIVE"], ""
    print("ready", flush=True)  # noqa: T201 - the benchmark waits for it
    while True:
        received = sqs.receive_message(
            QueueUrl=os.environ["REQUESTS"], MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        for message in received.get("Messages", []):
            sqs.delete_message(
                QueueUrl=os.environ["REQUESTS"], ReceiptHandle=message["ReceiptHandle"]
            )
            answer = four_lines(message["Body"])
            sqs.send_message(QueueUrl=os.environ["RESPONSES"], MessageBody=answer)
            log += f"{datetime.now(UTC)} {message['Body']}\n"
            s3.put_object(Bucket=bucket, Key="log.txt", Body=log.encode())


if __name__ == "__main__":
    main()
