"""The endpoint's own ceiling: the same three batched calls over bare HTTP, nothing else done.

Answers are made of nothing, requests are unsigned; what is left is what the endpoint can take.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
from typing import Any
from urllib.parse import urlsplit

THREADS = 4
HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "Authorization": (
        f"AWS4-HMAC-SHA256 Credential={os.environ.get('AWS_ACCESS_KEY_ID', 'test')}"
        "/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"
    ),
}


def loop() -> None:
    requests, responses = os.environ["REQUESTS"], os.environ["RESPONSES"]
    place = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    connection = http.client.HTTPConnection(str(place.hostname), place.port)

    def call(operation: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
        target = {"X-Amz-Target": f"AmazonSQS.{operation}"}
        connection.request("POST", "/", json.dumps(arguments), {**HEADERS, **target})
        return json.loads(connection.getresponse().read() or b"{}")

    while True:
        found = call(
            "ReceiveMessage", QueueUrl=requests, MaxNumberOfMessages=10, WaitTimeSeconds=20
        )
        messages = found.get("Messages", [])
        if not messages:
            continue
        call(
            "SendMessageBatch",
            QueueUrl=responses,
            Entries=[{"Id": str(n), "MessageBody": "x" * 120} for n in range(len(messages))],
        )
        call(
            "DeleteMessageBatch",
            QueueUrl=requests,
            Entries=[
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                for n, message in enumerate(messages)
            ],
        )


def main() -> None:
    for _ in range(THREADS):
        threading.Thread(target=loop).start()
    print("ready", flush=True)  # noqa: T201 - the benchmark waits for it


if __name__ == "__main__":
    main()
