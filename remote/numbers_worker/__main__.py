"""Runs the numbers worker: `python -m numbers_worker`, configured by its environment."""

from __future__ import annotations

import sys

from job_runtime import run_worker
from numbers_worker.four_figures import work

sys.exit(run_worker(work))
