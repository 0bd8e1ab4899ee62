"""The jobs of a replay: its events tell of those that were answered, and no store is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from labctl.events import JobFinished
from labctl.ledger.job_pages import JobDetails, JobPage, JobWord, ListedJob
from labctl.ledger.results import Counts
from labctl.tui.job_window import PAGE, Wanted, Window


class ReplayedJobs:
    """The latest of the answered jobs, and how many there were; it never grows beyond a page."""

    def __init__(self) -> None:
        self._latest: deque[tuple[float, JobFinished]] = deque(maxlen=PAGE)
        self.done = self.failed = 0

    def take(self, at: float, job: JobFinished) -> None:
        """Take one more into account."""
        self._latest.append((at, job))
        if job.state == "done":
            self.done += 1
        else:
            self.failed += 1

    def window(self, wanted: Wanted) -> Window:
        """Return those of the latest that are wanted, the newest first."""
        fitting = (
            _listed(at, job)
            for at, job in reversed(self._latest)
            if wanted.shown in ("all", _state(job))
            and (not wanted.text or wanted.text in f"{job.job_id} {job.body} {job.answer}")
        )
        listed = {job.key: job for job in fitting}
        counts = Counts(submitted=self.done + self.failed, done=self.done, failed=self.failed)
        return Window(wanted, JobPage(tuple(listed.values())), counts)

    def details(self, key: str) -> JobDetails | None:
        """Return what the events tell of a job; None when it is none of the latest."""
        found: Sequence[JobDetails] = [
            JobDetails(
                job_id=job.job_id,
                state=_state(job),
                run=None,
                body=job.body,
                answer=job.answer,
                worker=job.worker,
                attempt=job.attempt,
                sent_at=job.sent_at,
                settled_at=at,
                latency_ms=job.latency_ms,
            )
            for at, job in self._latest
            if job.job_id == key
        ]
        return found[-1] if found else None


def _listed(at: float, job: JobFinished) -> ListedJob:
    return ListedJob(
        key=job.job_id,
        job_id=job.job_id,
        state=_state(job),
        worker=job.worker,
        attempt=job.attempt,
        latency_ms=job.latency_ms,
        text=job.answer,
        at=at,
    )


def _state(job: JobFinished) -> JobWord:
    return "done" if job.state == "done" else "failed"
