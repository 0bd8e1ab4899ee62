"""Times the images worker beside a loop that only downloads, works and uploads pictures.

    PYTHONPATH=.:remote .venv/bin/python benchmarks/images.py [--rounds N] [--pictures N]
        [--width PIXELS] [--op NAME]

The worker is the real one: its process, its queues, its table, its log, all on a local cloud that
this program starts. The loop is as many processes as the worker has studios; each has one client
and its share of the names, and does nothing but get the object, decode, work, encode and put.
Both take turns on the same pictures; a rate is pictures per second, from the first request to the
last result stored. Where other programs use the machine, the processor time of everything that
takes part, the emulator included, says more: its ratio is what an idle machine would show.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from PIL import Image

from benchmarks.endpoints import LOCAL, served
from images_worker.operations import OPERATIONS
from tests.remote.aws import Road, Server, WorkerProcess, new_road
from tests.remote.client import Client
from tests.remote.processes import studios_of

PROCESSES = len(os.sched_getaffinity(0))
TICKS = os.sysconf("SC_CLK_TCK")
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Run:
    """One run over all pictures."""

    rate: float  # pictures per second
    processor_ms: float  # per picture, of everything that takes part


def processor_s(pids: list[int]) -> float:
    """Return the processor time that processes have used."""
    used = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used / TICKS


def photo(width: int, seed: int) -> bytes:
    """Return a JPEG with about as much detail as a photograph has."""
    size = (width, width * 3 // 4)
    bands = [
        Image.effect_noise((size[0] // 6, size[1] // 6), 60 + seed % 7 + band).resize(size)
        for band in range(3)
    ]
    file = io.BytesIO()
    Image.merge("RGB", bands).save(file, "JPEG", quality=88)
    return file.getvalue()


def loop(
    server: Server, bucket: str, names: list[str], op: str, start: Barrier, used: Queue[float]
) -> None:
    """Work pictures one after the other, with nothing else around it."""
    s3 = server.client("s3")
    s3.list_buckets()  # connected, as the worker is
    start.wait()
    began = time.process_time()
    for name in names:
        body = s3.get_object(Bucket=bucket, Key=f"images/unprocessed/{name}")["Body"].read()
        with Image.open(io.BytesIO(body)) as image:
            if op == "thumbnail":
                image.draft(None, (256, 256))
            image.load()
            result = OPERATIONS[op](image)
        file = io.BytesIO()
        result.save(file, "JPEG", quality=90)
        s3.put_object(
            Bucket=bucket,
            Key=f"images/processed/{name}",
            Body=file.getvalue(),
            ContentType="image/jpeg",
        )
    used.put(time.process_time() - began)
    start.wait()


def loop_run(server: Server, bucket: str, names: list[str], op: str) -> Run:
    """Run the loop over all pictures."""
    start, used = SPAWN.Barrier(PROCESSES + 1), SPAWN.Queue()
    shares = [names[number::PROCESSES] for number in range(PROCESSES)]
    processes = [
        SPAWN.Process(target=loop, args=(server, bucket, share, op, start, used))
        for share in shares
    ]
    for process in processes:
        process.start()
    start.wait()
    emulator = [server.pid]
    before, began = processor_s(emulator), time.perf_counter()
    start.wait()
    seconds = time.perf_counter() - began
    total = processor_s(emulator) - before + sum(used.get() for _ in processes)
    for process in processes:
        process.join()
    return Run(len(names) / seconds, total * 1000 / len(names))


def worker_run(worker: WorkerProcess, client: Client, road: Road, names: list[str], op: str) -> Run:
    """Have the running worker work all pictures."""
    mark = secrets.token_hex(4)
    before = len(worker.lines)
    pids = [worker.pid, *studios_of(worker.pid), road.server.pid]
    used, began = processor_s(pids), time.perf_counter()
    for first in range(0, len(names), 10):
        client.sqs.send_message_batch(
            QueueUrl=road.requests,
            Entries=[
                {
                    "Id": str(index),
                    "MessageBody": name,
                    "MessageAttributes": {
                        "op": {"DataType": "String", "StringValue": op},
                        "job_id": {"DataType": "String", "StringValue": f"{mark}-{name}"},
                    },
                }
                for index, name in enumerate(names[first : first + 10])
            ],
        )
    while sum('"event": "job"' in line for line in worker.lines[before:]) < len(names):
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    done = sum('"state": "done"' in line for line in worker.lines[before:])
    assert done == len(names), worker.lines[-1]
    used = processor_s(pids) - used
    # Answers are not what is measured; they must not pile up either.
    client.collect(len(names))
    return Run(len(names) / seconds, used * 1000 / len(names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--op", default="bw", choices=sorted(OPERATIONS))
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(LOCAL, Path(folder)) as server,
    ):
        compare(server, Path(folder), asked)


def compare(server: Server, folder: Path, asked: argparse.Namespace) -> None:
    road, bucket = new_road(server), "pictures"
    s3 = server.client("s3")
    s3.create_bucket(Bucket=bucket)
    names = [f"{number}.jpg" for number in range(asked.pictures)]
    size = 0
    for number, name in enumerate(names):
        data = photo(asked.width, number)
        size += len(data)
        s3.put_object(Bucket=bucket, Key=f"images/unprocessed/{name}", Body=data)
    sys.stdout.write(
        f"{asked.pictures} JPEGs, {asked.width} x {asked.width * 3 // 4}, "
        f"{size // asked.pictures // 1024} KiB each, {asked.op}, {PROCESSES} processes\n"
    )
    with WorkerProcess(
        road, folder / "home", module="images_worker", PICTURES=bucket
    ).wait_ready() as worker:
        client = Client(road)
        kinds: dict[str, Callable[[list[str]], Run]] = {
            "worker": lambda names: worker_run(worker, client, road, names, asked.op),
            "loop": lambda names: loop_run(server, bucket, names, asked.op),
        }
        runs: dict[str, list[Run]] = {kind: [] for kind in kinds}
        for kind in kinds:
            kinds[kind](names[:10])  # the first calls are slower
        for number in range(asked.rounds):
            for kind in sorted(kinds, reverse=bool(number % 2)):
                runs[kind].append(kinds[kind](names))
    report(runs)


def report(runs: dict[str, list[Run]]) -> None:
    for kind, each in runs.items():
        rates = " ".join(f"{run.rate:.1f}" for run in each)
        rate = statistics.median(run.rate for run in each)
        used = statistics.median(run.processor_ms for run in each)
        sys.stdout.write(
            f"{kind:7} {rate:6.1f} pictures/s  {used:6.1f} ms of processor  ({rates})\n"
        )
    pairs = list(zip(runs["worker"], runs["loop"], strict=True))
    rate = statistics.median(ours.rate / loop.rate for ours, loop in pairs)
    used = statistics.median(loop.processor_ms / ours.processor_ms for ours, loop in pairs)
    sys.stdout.write(f"ratio   {rate:6.2f}              {used:6.2f}\n")


if __name__ == "__main__":
    main()
