"""Runs the workload `numbers` as a process of its own, that kills itself after so many results."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import sys
from pathlib import Path

from labctl.events import Event, JobFinished
from labctl.workloads.numbers import NumbersWorkload
from tests.remote.aws import Road, Server
from tests.workloads.session import session, wanted

if __name__ == "__main__":
    url, requests, responses, dead, results, archive, state, jobs, last = sys.argv[1:]
    seen = itertools.count(1)

    def end_at_last(event: Event) -> None:
        """Die at a result, not at a moment: however busy the machine, it is in mid-run."""
        if isinstance(event, JobFinished) and next(seen) == int(last):
            os.kill(os.getpid(), signal.SIGKILL)

    road = Road(Server(url, "ministack"), requests, responses, dead, results, archive)
    with session(road, Path(state)) as (context, _):
        NumbersWorkload().run(dataclasses.replace(context, emit=end_at_last), wanted(int(jobs)))
