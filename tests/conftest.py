"""What holds for every test: no property test is timed, and AWS's descriptions are read once.

Machines are shared and noisy. Every botocore session reads megabytes of JSON about the services
anew: that is most of what a small test of one call costs. The files never change while tests run,
so all sessions of a process share one reader.
"""

from __future__ import annotations

import functools
import os

import botocore.session
from hypothesis import settings

settings.register_profile("untimed", parent=settings(), deadline=None)
settings.load_profile("untimed")

botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests run at once: half of their time they wait for another process."""
    return 2 * len(os.sched_getaffinity(0))
