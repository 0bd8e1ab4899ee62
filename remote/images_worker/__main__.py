"""Runs the images worker: `python -m images_worker`, configured by its environment.

Beside what every worker is told, PICTURES is the bucket of the pictures.
"""

from __future__ import annotations

import os
import sys

from images_worker.gallery import Gallery
from images_worker.jobs import PictureJobs
from images_worker.studios import StudioDied, Studios, StudioSlow
from job_runtime import Cloud, run_worker
from job_runtime.log_lines import say
from job_runtime.settings import Settings, SettingsError
from job_runtime.spool import claim_folder


def main() -> int:
    """Work until SIGTERM and return the exit status."""
    try:
        settings = Settings.from_environment(os.environ)
        bucket = os.environ.get("PICTURES")
        if not bucket:
            raise SettingsError("not set in the environment: PICTURES")
    except SettingsError as error:
        say("failed", error=str(error))
        return 2
    cores = _cores()
    folder, _lock = claim_folder(settings.spool / "pictures")
    cloud = Cloud()
    try:
        with Studios(cores) as studios:
            jobs = PictureJobs(Gallery(cloud, bucket), studios, folder)
            jobs.remove_leftovers()
            # While the studios are busy, others download and upload.
            return run_worker(jobs.handle, threads=2 * cores + 2, cloud=cloud)
    except (StudioDied, StudioSlow):
        say("failed", error="no picture can be worked: is Pillow installed?")
        return 1


def _cores() -> int:
    """Return how many cores this process may use, which is fewer in a container."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


sys.exit(main())
