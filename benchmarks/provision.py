"""Times bringing up 1, 10 and 100 instances, and counts the calls that it takes.

    .venv/bin/python benchmarks/provision.py

Beside it, by hand: one RunInstances for all and DescribeInstances until all of them run.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from labctl.cloud import launch
from labctl.engine.choices import Choices
from labctl.session import Session

SIZES = (1, 10, 100)
LAB = """\
apiVersion: labctl/v1
name: many
title: Many machines
params: {machines: {type: integer, default: 1}}
resources:
  worker: {kind: ec2.instance, count: "${params.machines}"}
"""


def by_hand(client: Any, count: int) -> float:  # noqa: ANN401 - boto3's client
    """Launch and wait as a script would; return the seconds, having ended the instances."""
    began = time.perf_counter()
    image = "ami-0123456789abcdef0"
    launched = client.run_instances(ImageId=image, MinCount=count, MaxCount=count)["Instances"]
    ids = [instance["InstanceId"] for instance in launched]
    pause = threading.Event()
    while True:
        described = client.describe_instances(InstanceIds=ids)["Reservations"]
        states = [each["State"]["Name"] for group in described for each in group["Instances"]]
        if states.count("running") == count:
            break
        pause.wait(0.05)
    taken = time.perf_counter() - began
    client.terminate_instances(InstanceIds=ids)
    return taken


def measure(lab: Path, count: int) -> None:
    calls: Counter[str] = Counter()

    def on_call(service: str, operation: str, moment: str) -> None:
        calls[operation] += moment == "before"

    choices = Choices(settings={"machines": str(count)}, on_call=on_call)
    session = Session(str(lab), choices)
    session.up()
    phases = session.phases_s
    session.close()
    about_instances = {name: calls[name] for name in ("RunInstances", "DescribeInstances")}
    down = Session(str(lab), Choices())
    began = time.perf_counter()
    down.down()
    ended = time.perf_counter() - began
    floor = by_hand(session.target.client("ec2"), count)
    sys.stdout.write(
        f"{count:4} instances: provision {phases['provision']:6.2f} s (by hand {floor:5.2f} s), "
        f"SSH ready and own host key {phases['machines']:6.2f} s, down {ended:5.2f} s; "
        f"{sum(calls.values())} calls in up, of them {about_instances}\n"
    )
    sys.stdout.flush()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LABCTL_STATE"] = folder
        lab = Path(folder) / "lab.yaml"
        lab.write_text(LAB)
        try:
            for count in SIZES:
                measure(lab, count)
        finally:
            launch.stop(Path(folder))


if __name__ == "__main__":
    main()
