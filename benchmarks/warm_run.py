"""Times each phase of a warm `labctl run numbers` with 100 jobs beside the same work by hand.

    .venv/bin/python benchmarks/warm_run.py

By hand means: boto3 clients that exist already, the same calls one after the other, the same
worker answering; for the machine, one login by OpenSSH. Command and hand take turns in one run.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

ROUNDS, JOBS = 7, 100
LABCTL = str(Path(sys.executable).with_name("labctl"))


def labctl(*arguments: str) -> str:
    done = subprocess.run([LABCTL, *arguments], check=True, capture_output=True, text=True)
    return done.stdout


class ByHand:
    """The calls of each phase, as a student's script would make them."""

    def __init__(self, environment: dict[str, str], names: dict[str, str], config: Path) -> None:
        session: Any = boto3.Session(
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_REGION"],
        )
        services = ("sts", "sqs", "s3", "dynamodb", "ec2")
        endpoint = environment["AWS_ENDPOINT_URL"]
        self.clients = {name: session.client(name, endpoint_url=endpoint) for name in services}
        self.names, self.config = names, config
        self.requests, self.responses = environment["LAB_REQUESTS"], environment["LAB_RESPONSES"]

    def target(self) -> None:
        self.clients["sts"].get_caller_identity()

    def plan(self) -> None:
        sqs, s3, tables, ec2 = (self.clients[name] for name in ("sqs", "s3", "dynamodb", "ec2"))
        for queue in ("requests", "responses", "dead"):
            url = sqs.get_queue_url(QueueName=self.names[queue])["QueueUrl"]
            sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
            sqs.list_queue_tags(QueueUrl=url)
        s3.get_bucket_tagging(Bucket=self.names["archive"])
        s3.get_bucket_versioning(Bucket=self.names["archive"])
        s3.get_public_access_block(Bucket=self.names["archive"])
        table = tables.describe_table(TableName=self.names["results"])["Table"]
        tables.list_tags_of_resource(ResourceArn=table["TableArn"])
        ec2.describe_key_pairs()
        ec2.describe_security_groups()
        ec2.describe_instances()

    def machines(self) -> None:
        subprocess.run(["ssh", "-F", str(self.config), "worker.0", "true"], check=True)

    def jobs(self) -> None:
        sqs = self.clients["sqs"]
        for first in range(0, JOBS, 10):
            entries = [
                {"Id": str(number), "MessageBody": "1,5,22,33,9,0,-15,8,22,100,33,62,90,150,1,2,3"}
                for number in range(first, first + 10)
            ]
            sqs.send_message_batch(QueueUrl=self.requests, Entries=entries)
        answered = 0
        while answered < JOBS:
            got = sqs.receive_message(
                QueueUrl=self.responses, MaxNumberOfMessages=10, WaitTimeSeconds=20
            ).get("Messages", [])
            answered += len(got)
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                for index, message in enumerate(got)
            ]
            if entries:
                sqs.delete_message_batch(QueueUrl=self.responses, Entries=entries)


def seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LABCTL_STATE"] = folder
        try:
            compare(Path(folder))
        finally:
            labctl("down", "numbers", "--yes")
            labctl("cloud", "stop")


def compare(folder: Path) -> None:
    labctl("run", "numbers", "--set", f"jobs={JOBS}")
    status = json.loads(labctl("status", "numbers", "--json"))
    names = {row["resource"]: row["name"] for row in status["resources"]}
    config = folder / "ssh.conf"
    config.write_text(labctl("ssh-config", "numbers"))
    hand = ByHand(json.loads(labctl("env", "numbers", "--json")), names, config)
    floors = {
        "target": hand.target,
        "plan": hand.plan,
        "machines": hand.machines,
        "jobs": hand.jobs,
    }
    phases: dict[str, list[float]] = {}
    by_hand: dict[str, list[float]] = {name: [] for name in floors}
    whole: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        output = labctl("run", "numbers", "--set", f"jobs={JOBS}", "--json")
        whole.append(time.perf_counter() - began)
        for name, value in json.loads(output.splitlines()[-1])["phases_s"].items():
            phases.setdefault(name, []).append(value)
        for name, work in floors.items():
            by_hand[name].append(seconds(work))
    sys.stdout.write(f"{'phase':12} {'labctl ms':>10} {'by hand ms':>11} {'ratio':>6}\n")
    for name, values in phases.items():
        have = statistics.median(values)
        line = f"{name:12} {have * 1000:10.0f}"
        if name in by_hand:
            floor = statistics.median(by_hand[name])
            line += f" {floor * 1000:11.0f} {have / floor:6.2f}"
        sys.stdout.write(line + "\n")
    sys.stdout.write(f"{'whole':12} {statistics.median(whole) * 1000:10.0f}\n")


if __name__ == "__main__":
    main()
