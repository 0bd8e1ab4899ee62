"""Compares labctl's workers and collector with others': drain rate, round trip, CPU for a job.

    .venv/bin/pip install -r benchmarks/requirements.txt
    PYTHONPATH=.:remote .venv/bin/python benchmarks/jobs.py

Contenders take turns in one run, on the local cloud and on moto: the original course's loop,
Celery over SQS, a sharp hand-written worker, and the endpoint's own ceiling (the calls over bare
HTTP), without and with each result recorded once.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.endpoints import LOCAL, MOTO, served
from labctl.kinds.base import Actual
from labctl.ledger.results import JobResult, ResultsStore
from labctl.targets.endpoint import EndpointTarget
from labctl.workloads.base import Request, WorkloadContext
from labctl.workloads.numbers import PRESET, NumbersModel, NumbersWorkload
from tests.remote.aws import Road, Server, new_road

ROUNDS, TRIPS, MANY = 5, 60, 100_000
JOBS = {LOCAL: 2000, MOTO: 200}  # moto looks through a whole queue for each message
FEW_JOBS = 200  # for those that are slow
CONTENDERS = Path(__file__).parent / "contenders"
_LOOK_S = 0.1


@dataclass(frozen=True)
class Contender:
    """A worker's command, what its output says when it is ready, whether it is given few jobs."""

    command: list[str]
    ready: str = "ready"
    few: bool = False

    def jobs(self, flavour: str) -> int:
        return FEW_JOBS if self.few else JOBS[flavour]


PYTHON = sys.executable
CELERY = [PYTHON, "-m", "celery", "-A", "celery_app", "worker", "-l", "info", "-c", "2"]
WORKERS = {
    "labctl": Contender([PYTHON, "-m", "numbers_worker"]),
    "original": Contender([PYTHON, str(CONTENDERS / "original.py")], few=True),
    "celery": Contender([*CELERY, "--without-gossip", "--without-mingle"], " ready.", few=True),
    "sharp": Contender([PYTHON, str(CONTENDERS / "sharp.py")]),
    "ceiling": Contender([PYTHON, str(CONTENDERS / "ceiling.py")]),
    "recording": Contender([PYTHON, str(CONTENDERS / "ceiling.py"), "stored"]),
}


def main() -> None:
    """Run everything on both emulators and print the figures."""
    for flavour in (LOCAL, MOTO):
        with tempfile.TemporaryDirectory() as folder, served(flavour, Path(folder)) as endpoint:
            say(f"== {flavour}")
            keys = (endpoint.access_key, endpoint.secret_key)
            os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = keys
            drains(endpoint)
            trips(endpoint)
            collecting(endpoint)
    keeping()


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def drains(endpoint: Server) -> None:
    rates: dict[str, list[float]] = {name: [] for name in WORKERS}
    costs: dict[str, list[float]] = {name: [] for name in WORKERS}
    for _ in range(ROUNDS):
        for name, contender in WORKERS.items():
            rate, cpu_s = drain(new_road(endpoint), name, contender)
            rates[name].append(rate)
            costs[name].append(cpu_s)
    ours = statistics.median(rates["labctl"])
    for name in WORKERS:
        rate, cost = statistics.median(rates[name]), statistics.median(costs[name])
        say(
            f"drain {name:10} {rate:8.0f} jobs/s  labctl is {ours / rate:6.2f} x;"
            f"  worker CPU {cost:6.2f} s per 1,000 jobs"
        )


def drain(road: Road, name: str, contender: Contender) -> tuple[float, float]:
    """Return the jobs per second and the worker's CPU seconds per 1,000 jobs."""
    jobs = contender.jobs(road.server.flavour)
    fill(road, jobs, for_celery=name == "celery")
    sqs = road.server.client("sqs")
    with at_work(road, contender) as worker:
        began, cpu_before = time.perf_counter(), cpu_s(worker.pid)
        while depth(sqs, road.responses) < jobs:
            time.sleep(_LOOK_S)
        taken = time.perf_counter() - began
        spent = cpu_s(worker.pid) - cpu_before
    return jobs / taken, spent * 1000 / jobs


def fill(road: Road, jobs: int, *, for_celery: bool) -> None:
    if for_celery:
        code = f"from celery_app import numbers\nfor _ in range({jobs}): numbers.delay('{PRESET}')"
        environment = road.environment(CONTENDERS)
        subprocess.run([PYTHON, "-c", code], env=environment, cwd=CONTENDERS, check=True)
        return
    sqs = road.server.client("sqs")
    for first in range(0, jobs, 10):
        entries = [
            {
                "Id": str(number),
                "MessageBody": PRESET,
                "MessageAttributes": {
                    "job_id": {"DataType": "String", "StringValue": f"job-{number:06}"}
                },
            }
            for number in range(first, min(first + 10, jobs))
        ]
        sqs.send_message_batch(QueueUrl=road.requests, Entries=entries)


@contextmanager
def at_work(road: Road, contender: Contender) -> Iterator[subprocess.Popen[str]]:
    """Give a worker that has just said that it is ready."""
    with tempfile.TemporaryDirectory() as home:
        worker = subprocess.Popen(
            contender.command,
            env={**road.environment(Path(home)), "TMPDIR": home},
            cwd=CONTENDERS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert worker.stdout is not None
        try:
            for line in worker.stdout:
                if contender.ready in line:
                    break
            threading.Thread(target=worker.stdout.read, daemon=True).start()
            yield worker
        finally:
            os.killpg(worker.pid, 9)
            worker.wait()


def depth(sqs: Any, queue: str) -> int:  # noqa: ANN401 - boto3's client
    names = ["ApproximateNumberOfMessages"]
    answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)
    return int(answer["Attributes"][names[0]])


def cpu_s(session: int) -> float:
    """Return the CPU seconds that the processes of a session have taken so far."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended while we looked
            continue
        if int(fields[3]) == session:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def trips(endpoint: Server) -> None:
    """Compare one job at a time: by labctl, and by a bare send, receive, send, receive."""
    ways: dict[str, Callable[[Server], list[float]]] = {"labctl": by_labctl, "bare": bare}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            taken[name] += way(endpoint)
    for name, values in taken.items():
        cuts = statistics.quantiles(values, n=20)
        bare_p50 = statistics.median(taken["bare"])
        say(
            f"round trip {name:7} p50 {cuts[9]:6.1f} ms, p95 {cuts[18]:6.1f} ms;"
            f"  p50 is {cuts[9] / bare_p50:4.2f} x bare"
        )


@contextmanager
def session(road: Road) -> Iterator[tuple[WorkloadContext, NumbersModel]]:
    """Give what the engine gives a workload."""
    queues = {"requests": road.requests, "responses": road.responses}
    resources = {
        **{n: Actual("sqs.queue", url.rsplit("/", 1)[-1], url) for n, url in queues.items()},
        "results": Actual("dynamodb.table", road.results, road.results),
    }
    with tempfile.TemporaryDirectory() as folder, ResultsStore(Path(folder) / "r.sqlite3") as kept:
        context = WorkloadContext(
            target=EndpointTarget(road.server.url),  # its keys come from the environment
            session="bench",
            neighbours=resources,
            results=kept,
            emit=lambda event: None,
            cancelled=threading.Event(),
            deadline_s=600,
        )
        want = NumbersModel(
            send="requests",
            collect="responses",
            results="results",
            jobs=JOBS[road.server.flavour],
        )
        yield context, want


def by_labctl(endpoint: Server) -> list[float]:
    """Return the milliseconds of each trip: from sent to recorded."""
    road, answered = new_road(endpoint), threading.Event()

    def requests() -> Iterator[Request]:
        for _ in range(TRIPS):
            yield Request(PRESET)
            answered.wait()
            answered.clear()

    taken = []
    with at_work(road, WORKERS["labctl"]), session(road) as (context, want):
        answers = NumbersWorkload().send(context, want, requests(), wait=True, timeout_s=60)
        for answer in answers:
            taken.append(answer.latency_ms)
            answered.set()
    return taken


def bare(endpoint: Server) -> list[float]:
    """Return the milliseconds of each trip through the same two queues, nothing else done."""
    road = new_road(endpoint)
    stop = threading.Event()

    def echo() -> None:
        sqs = endpoint.client("sqs")
        while not stop.is_set():
            got = sqs.receive_message(QueueUrl=road.requests, WaitTimeSeconds=2)
            for message in got.get("Messages", []):
                sqs.send_message(QueueUrl=road.responses, MessageBody=message["Body"])

    worker = threading.Thread(target=echo)
    worker.start()
    taken, sqs = [], endpoint.client("sqs")
    for _ in range(TRIPS):
        began = time.perf_counter()
        sqs.send_message(QueueUrl=road.requests, MessageBody=PRESET)
        while not sqs.receive_message(QueueUrl=road.responses, WaitTimeSeconds=20).get("Messages"):
            pass
        taken.append((time.perf_counter() - began) * 1000)
    stop.set()
    worker.join()
    return taken


def collecting(endpoint: Server) -> None:
    """Run whole runs, and tell the CPU of sending, collecting and recording."""
    road = new_road(endpoint)
    rates, costs = [], []
    with at_work(road, WORKERS["labctl"]):
        for _ in range(ROUNDS):
            with session(road) as (context, want):
                before = resource.getrusage(resource.RUSAGE_SELF)
                summary = NumbersWorkload().run(context, want)
                after = resource.getrusage(resource.RUSAGE_SELF)
            assert summary.done == want.jobs, summary
            rates.append(summary.jobs_per_s)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            costs.append(spent * 1000 / want.jobs)
    say(
        f"whole run  {statistics.median(rates):8.0f} jobs/s sent, worked and recorded;"
        f"  sender and collector CPU {statistics.median(costs):5.2f} s per 1,000 jobs"
    )


def keeping() -> None:
    """Record many results in a process of its own; tell its memory and how fast one is found."""
    if os.fork() == 0:
        status = 1
        try:
            keep()
            status = 0
        finally:
            os._exit(status)
    os.wait()


def keep() -> None:
    with tempfile.TemporaryDirectory() as folder, ResultsStore(Path(folder) / "r.sqlite3") as kept:
        run = kept.begin_run("numbers", purpose="run", jobs=MANY, seed=1)
        ids = [f"bench-{run.mark}-{number:06}" for number in range(MANY)]
        for first in range(0, MANY, 10):
            some = ids[first : first + 10]
            kept.submit(run.number, dict.fromkeys(some, PRESET))
            kept.record_all([JobResult(each, "done", "x" * 120, "w", 1, 1) for each in some])
        taken = []
        for job_id in random.Random(1).sample(ids, 1000):
            began = time.perf_counter()
            (found,) = kept.find(job_id=job_id)
            taken.append((time.perf_counter() - began) * 1000)
            assert found.result.job_id == job_id
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(
        f"== {MANY:,} results: peak memory {peak:.0f} MB, one found by id in "
        f"{statistics.median(taken):.2f} ms (p95 {statistics.quantiles(taken, n=20)[18]:.2f} ms)"
    )


if __name__ == "__main__":
    main()
