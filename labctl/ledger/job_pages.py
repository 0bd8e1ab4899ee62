"""A window over a session's jobs: pages of them, newest first, and everything about one.

Each page is found from the last row of the page before it, so that the hundredth costs what the
first does, however many jobs there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

JobFilter = Literal["all", "done", "failed", "dead", "waiting"]
JobWord = Literal["done", "failed", "dead", "waiting", "lost"]
Place = tuple[float | str, ...]
"""Where a page ends; what it holds depends on the filter."""

STILL_DEAD = (
    "(SELECT * FROM dead WHERE job_id IS NULL OR job_id NOT IN (SELECT job_id FROM results))"
)
_TEXT_SHOWN = 400  # characters of an answer or a body in a list
_ANSWER_SHOWN = 100_000  # characters of an answer beside its job
_FIRST: Place = (float(2**62), "")


@dataclass(frozen=True)
class ListedJob:
    """A job as a list shows it; `key` is unique in a list, `text` the answer, reason or body."""

    key: str
    job_id: str  # empty: a foreign client's message
    state: JobWord
    worker: str
    attempt: int  # 0: unknown
    latency_ms: float | None
    text: str
    at: float  # unix seconds: recorded, found dead, or sent


_Found = tuple[ListedJob, Place]


@dataclass(frozen=True)
class JobPage:
    """Some jobs, and where the next page begins; None when there is no other."""

    jobs: tuple[ListedJob, ...] = ()
    next: Place | None = None


@dataclass(frozen=True)
class JobDetails:
    """Everything that is known of one job; what did not happen yet is None."""

    job_id: str
    state: JobWord
    run: int | None
    body: str
    answer: str  # a dead letter's reason
    worker: str = ""
    attempt: int = 0
    sent_at: float | None = None
    settled_at: float | None = None  # recorded, or found dead
    worked_ms: int | None = None
    latency_ms: float | None = None
    repeated: int = 0
    duplicated: int = 0


class JobPages(ABC):
    """The part of the results store that shows its jobs."""

    @abstractmethod
    def _read(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]: ...

    def page(
        self,
        shown: JobFilter = "all",
        *,
        text: str = "",
        after: Place | None = None,
        limit: int = 500,
    ) -> JobPage:
        """Return the next jobs of a kind after a place, the newest first.

        `all` are those with a result and the dead; `text` stands in id, worker, answer or body.
        """
        if shown == "dead":
            return _cut(self._dead(text, after or _FIRST, limit), limit)
        if shown == "waiting":
            return _cut(self._waiting(text, after or _FIRST, limit), limit)
        if shown != "all":
            return _cut(self._answered(shown, text, after or _FIRST, limit), limit)
        before, dead_before = (after[:1], after[1:]) if after else (_FIRST, _FIRST)
        answered = self._answered(shown, text, before, limit)
        dead = self._dead(text, dead_before, limit)
        page = sorted((*answered, *dead), key=lambda found: found[0].at, reverse=True)[:limit]
        for job, place in page:
            if job.state == "dead":
                dead_before = place
            else:
                before = place
        more = len(page) == limit
        return JobPage(tuple(job for job, _ in page), (before[0], *dead_before) if more else None)

    def details(self, key: str) -> JobDetails | None:
        """Return everything about the job with this id, or about a dead letter's message."""
        rows = self._read(
            "SELECT jobs.job_id, state, jobs.run, body, substr(answer, 1, ?2), worker, attempt,"
            " sent_at, recorded_at, worked_ms, latency_ms, coalesce(repeated, 0),"
            " coalesce(duplicated, 0) FROM jobs LEFT JOIN results USING (job_id)"
            " LEFT JOIN again USING (job_id) WHERE job_id=?1",
            [key, _ANSWER_SHOWN],
        )
        if rows and rows[0][1] is not None:
            return JobDetails(*rows[0])
        dead = self._read(
            "SELECT job_id, run, body, reason, seen_at FROM dead WHERE message_id=?1 OR job_id=?1"
            " ORDER BY seen_at LIMIT 1",
            [key],
        )
        if dead:
            job_id, run, body, reason, seen_at = dead[0]
            sent = self._read("SELECT sent_at FROM jobs WHERE job_id=?", [job_id])
            sent_at = sent[0][0] if sent else None
            return JobDetails(
                job_id or "", "dead", run, body, reason, sent_at=sent_at, settled_at=seen_at
            )
        if not rows:
            return None
        job_id, run, body, sent_at = rows[0][0], rows[0][2], rows[0][3], rows[0][7]
        ((ended,),) = self._read(
            "SELECT count(*) FROM runs WHERE run=? AND ended_at IS NOT NULL", [run]
        )
        return JobDetails(job_id, "lost" if ended else "waiting", run, body, "", sent_at=sent_at)

    def _answered(self, shown: JobFilter, text: str, before: Place, limit: int) -> list[_Found]:
        clauses, values = ["seq<?"], [_TEXT_SHOWN, before[0]]
        if shown != "all":
            clauses.append("state=?")
            values.append(shown)
        if text:
            clauses.append("(instr(job_id, ?) OR instr(worker, ?) OR instr(answer, ?))")
            values += [text] * 3
        rows = self._read(
            "SELECT seq, job_id, state, worker, attempt, latency_ms, substr(answer, 1, ?),"
            f" recorded_at FROM results WHERE {' AND '.join(clauses)} ORDER BY seq DESC LIMIT ?",
            [*values, limit],
        )
        return [(ListedJob(row[1], *row[1:]), (row[0],)) for row in rows]

    def _dead(self, text: str, before: Place, limit: int) -> list[_Found]:
        """Return dead letters before a place; they are few, so each look sorts them all."""
        rows = self._read(
            f"SELECT message_id, job_id, reason || ': ' || substr(body, 1, ?), seen_at"
            f" FROM {STILL_DEAD} WHERE (seen_at, message_id)<(?, ?) AND (?=''"
            " OR instr(coalesce(job_id, ''), ?) OR instr(reason, ?) OR instr(body, ?))"
            " ORDER BY seen_at DESC, message_id DESC LIMIT ?",
            [_TEXT_SHOWN, *before, *[text] * 4, limit],
        )
        return [
            (ListedJob(key, job_id or "", "dead", "", 0, None, said, seen_at), (seen_at, key))
            for key, job_id, said, seen_at in rows
        ]

    def _waiting(self, text: str, before: Place, limit: int) -> list[_Found]:
        rows = self._read(
            "SELECT run, job_id, iif(ended_at IS NULL, 'waiting', 'lost'), substr(body, 1, ?),"
            " sent_at FROM jobs JOIN runs USING (run) WHERE (jobs.run, job_id)<(?, ?)"
            " AND NOT EXISTS (SELECT 1 FROM results WHERE results.job_id=jobs.job_id)"
            " AND job_id NOT IN (SELECT job_id FROM dead WHERE job_id IS NOT NULL)"
            " AND (?='' OR instr(job_id, ?) OR instr(body, ?))"
            " ORDER BY jobs.run DESC, job_id DESC LIMIT ?",
            [_TEXT_SHOWN, *before, *[text] * 3, limit],
        )
        return [
            (ListedJob(job_id, job_id, state, "", 0, None, body, sent_at), (run, job_id))
            for run, job_id, state, body, sent_at in rows
        ]


def _cut(found: Sequence[_Found], limit: int) -> JobPage:
    """Return what was found as a page; one that is full may have others after it."""
    next_place = found[-1][1] if len(found) == limit else None
    return JobPage(tuple(job for job, _ in found), next_place)
