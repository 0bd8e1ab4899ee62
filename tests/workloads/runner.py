"""Runs the workload `numbers` as a process of its own, so that a test can kill it."""

from __future__ import annotations

import sys
from pathlib import Path

from labctl.workloads.numbers import NumbersWorkload
from tests.remote.aws import Road, Server
from tests.workloads.session import session, wanted

if __name__ == "__main__":
    url, requests, responses, dead, results, archive, state, jobs = sys.argv[1:]
    road = Road(Server(url, "ministack"), requests, responses, dead, results, archive)
    with session(road, Path(state)) as (context, _):
        NumbersWorkload().run(context, wanted(int(jobs)))
