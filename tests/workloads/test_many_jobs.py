"""A hundred thousand jobs: sent without being held, collected in little memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from labctl.ledger.results import ResultsStore
from labctl.workloads.base import Request
from labctl.workloads.sending import full_batches
from tests.remote.aws import ROOT

MANY = 100_000
COLLECTS = """
import sys, threading
from pathlib import Path
from typing import Any
from labctl.ledger.results import JobResult, ResultsStore
from labctl.workloads.collecting import Collector
from labctl.workloads.crew import Crew
from labctl.workloads.exchange import Reply

MANY = int(sys.argv[2])
ANSWER = "The list minimum is : -98 \\n" * 4
store = ResultsStore(Path(sys.argv[1]))
run = store.begin_run("numbers", purpose="run", jobs=MANY, seed=1).number
ids = [f"k3v9-{number:06}" for number in range(MANY)]
for start in range(0, MANY, 1000):
    store.submit(run, dict.fromkeys(ids[start : start + 1000], "1,2,3"))
lock, left = threading.Lock(), iter(ids)

class Queue:
    def receive(self, *, wait_s: int) -> list[Reply]:
        with lock:
            batch = [job_id for _, job_id in zip(range(10), left)]
        return [Reply(i, i, 1, JobResult(i, "done", ANSWER, "w", 1, 1)) for i in batch]
    def delete(self, replies: Any) -> None: pass
    leave = give_back = delete

with Crew() as crew:
    done = lambda: store.answered(run) >= MANY
    Collector(Queue(), store, crew).start(enough=done)
    while not done():
        crew.wait(0.5)
assert store.counts(run).done == MANY
store.latency_ms(run)
assert store.find(job_id=ids[MANY // 2])[0].result.answer == ANSWER
# Not ru_maxrss: that is the test runner's own where it was larger when it started this.
print(next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM")))
"""


def test_jobs_are_sent_without_holding_them_all(tmp_path: Path) -> None:
    with ResultsStore(tmp_path / "session" / "results.sqlite3") as store:
        run = store.begin_run("numbers", purpose="run", jobs=MANY, seed=1).number
        jobs = ((f"k3v9-{number:06}", Request(f"{number}," * 20 + "1")) for number in range(MANY))
        tracemalloc.start()
        try:
            for batch in full_batches(jobs):
                store.submit(run, {job_id: request.body for job_id, request in batch.items()})
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert store.counts(run).waiting == MANY
    assert peak_bytes < 2 * 2**20  # all of them would be some 30 MB


@pytest.mark.skipif(not Path("/proc").exists(), reason="the peak is read from /proc")
def test_one_collector_holds_a_hundred_thousand_results(tmp_path: Path) -> None:
    file = str(tmp_path / "session" / "results.sqlite3")
    done = subprocess.run(
        [sys.executable, "-c", COLLECTS, file, str(MANY)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 300e6
