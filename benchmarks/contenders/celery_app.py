"""Celery over SQS, as its documentation sets it up, acknowledging late: a job survives a crash.

No result backend: the task sends its answer itself, which is less than labctl's workers do.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import boto3
from celery import Celery

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "remote"))
from job_runtime import Job  # the path is set above
from numbers_worker.four_figures import work

app = Celery("numbers", broker="sqs://")
app.conf.update(
    broker_transport_options={
        "region": "us-east-1",
        "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
        "is_secure": False,
        "wait_time_seconds": 20,
        "visibility_timeout": 60,
        "predefined_queues": {"numbers": {"url": os.environ["REQUESTS"]}},
    },
    task_default_queue="numbers",
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=10,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
)
_clients: dict[int, Any] = {}


def _sqs() -> Any:  # noqa: ANN401 - boto3's client
    """Return the client of this process: it must not be shared over a fork."""
    if os.getpid() not in _clients:
        _clients[os.getpid()] = boto3.client("sqs")
    return _clients[os.getpid()]


@app.task(name="numbers")  # type: ignore[untyped-decorator]  # Celery ships no types
def numbers(body: str) -> None:
    answer = work(Job(None, body, 1)).answer
    _sqs().send_message(QueueUrl=os.environ["RESPONSES"], MessageBody=answer)
