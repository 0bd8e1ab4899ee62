"""The endpoint's own ceiling: the same batched calls over bare HTTP, nothing else done.

Answers are made of nothing, requests are unsigned; what is left is what the endpoint can take.
With the argument `stored` a batch is also written to the table, each job if it is not there yet:
the ceiling of every worker that records a result once.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

THREADS = 4
STORED = sys.argv[1:] == ["stored"]
TARGETS = {"sqs": "AmazonSQS", "dynamodb": "DynamoDB_20120810"}
ANSWER = "x" * 120
FAILED = 500


def headers(service: str, operation: str) -> dict[str, str]:
    key = os.environ.get("AWS_ACCESS_KEY_ID", "test")
    scope = f"{key}/20260101/us-east-1/{service}/aws4_request"
    return {
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "X-Amz-Target": f"{TARGETS[service]}.{operation}",
    }


def loop() -> None:
    requests, responses = os.environ["REQUESTS"], os.environ["RESPONSES"]
    place = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    connection = http.client.HTTPConnection(str(place.hostname), place.port)

    def call(service: str, operation: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
        while True:
            connection.request("POST", "/", json.dumps(arguments), headers(service, operation))
            answer = connection.getresponse()
            said = answer.read()
            if answer.status < FAILED:  # moto fails now and then when two transactions meet
                return json.loads(said or b"{}")

    while True:
        found = call(
            "sqs", "ReceiveMessage", QueueUrl=requests, MaxNumberOfMessages=10, WaitTimeSeconds=20
        )
        messages = found.get("Messages", [])
        if not messages:
            continue
        if STORED:
            puts = [{"Put": put(message["MessageId"])} for message in messages]
            call("dynamodb", "TransactWriteItems", TransactItems=puts)
        call(
            "sqs",
            "SendMessageBatch",
            QueueUrl=responses,
            Entries=[{"Id": str(n), "MessageBody": ANSWER} for n in range(len(messages))],
        )
        call(
            "sqs",
            "DeleteMessageBatch",
            QueueUrl=requests,
            Entries=[
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                for n, message in enumerate(messages)
            ],
        )


def put(job_id: str) -> dict[str, Any]:
    return {
        "TableName": os.environ["RESULTS"],
        "Item": {"id": {"S": job_id}, "answer": {"S": ANSWER}},
        "ConditionExpression": "attribute_not_exists(id)",
    }


def main() -> None:
    for _ in range(THREADS):
        threading.Thread(target=loop).start()
    print("ready", flush=True)  # noqa: T201 - the benchmark waits for it


if __name__ == "__main__":
    main()
