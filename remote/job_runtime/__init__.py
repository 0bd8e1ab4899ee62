"""The worker runtime that every agent taking jobs from a queue shares.

An agent adds one function from `Job` to `Outcome` and hands it to `run_worker`.
"""

from __future__ import annotations

from job_runtime.cloud import Cloud
from job_runtime.jobs import Job, Outcome, done, failed
from job_runtime.worker import run_worker

__all__ = ["Cloud", "Job", "Outcome", "done", "failed", "run_worker"]
