"""What holds for every test: none is timed, none leaves a cloud, AWS's descriptions are read once.

Machines are shared and noisy. Every botocore session reads megabytes of JSON about the services
anew: that is most of what a small test of one call costs. The files never change while tests run,
so all sessions of a process share one reader.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator

import botocore.session
import pytest
from hypothesis import settings

from labctl.cloud.processes import kill_all, marked

_ENDING_S = 10.0  # of a cloud that a test killed

settings.register_profile("untimed", parent=settings(), deadline=None)
settings.load_profile("untimed")

botocore.session.create_loader = functools.cache(botocore.session.create_loader)


@pytest.fixture(scope="session", autouse=True)
def no_cloud_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail at the end when a cloud of this process's tests still runs, and end it."""
    yield
    marks = [f"LABCTL_CLOUD={tmp_path_factory.getbasetemp()}/"]
    deadline = time.monotonic() + _ENDING_S
    while (left := marked(marks)) and time.monotonic() < deadline:
        time.sleep(0.1)
    kill_all(lambda: marked(marks), grace_s=1.0, deadline_s=_ENDING_S)
    assert left == [], "the clouds of some tests were not stopped"


def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests run at once: half of their time they wait for another process."""
    return 2 * len(os.sched_getaffinity(0))
