"""Every job of a session: what was sent, its one result, and what became of the rest.

A job goes to the queue as it was typed. What is noted of it here, and shown from here, has its
secrets masked.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from labctl.errors import LabctlError
from labctl.ledger.job_pages import STILL_DEAD, JobPages
from labctl.paths import private_folder
from labctl.text import masked

JobState = Literal["done", "failed"]
Purpose = Literal["run", "send"]
# new: recorded; repeated: the same result came again; duplicated: another result for a job that
# has one; unknown: not a job that was submitted here.
Arrival = Literal["new", "repeated", "duplicated", "unknown"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run INTEGER PRIMARY KEY, mark TEXT NOT NULL, workload TEXT NOT NULL, purpose TEXT NOT NULL,
    jobs INTEGER NOT NULL, seed INTEGER NOT NULL, started_at REAL NOT NULL, ended_at REAL);
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY, run INTEGER NOT NULL, body TEXT NOT NULL, sent_at REAL NOT NULL
    ) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL UNIQUE, run INTEGER NOT NULL,
    state TEXT NOT NULL, answer TEXT NOT NULL, worker TEXT NOT NULL, attempt INTEGER NOT NULL,
    worked_ms INTEGER NOT NULL, latency_ms REAL NOT NULL, recorded_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS again (
    job_id TEXT PRIMARY KEY, run INTEGER NOT NULL, repeated INTEGER NOT NULL,
    duplicated INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead (
    message_id TEXT PRIMARY KEY, job_id TEXT, run INTEGER, reason TEXT NOT NULL,
    body TEXT NOT NULL, seen_at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS jobs_by_run ON jobs (run);
CREATE INDEX IF NOT EXISTS results_by_run ON results (run, state);
"""
_OF_RUN = "(?1 IS NULL OR run=?1)"
# A job that was sent twice may die twice, and is one dead job all the same.
_DEAD_JOBS = f"(SELECT DISTINCT job_id, run FROM {STILL_DEAD})"
_SELECT = (
    "SELECT seq, results.run, job_id, state, answer, worker, attempt, worked_ms, latency_ms,"
    " recorded_at, jobs.body, jobs.sent_at FROM results JOIN jobs USING (job_id)"
)
_BODY_KEPT = 1000  # characters of a job's body: enough to know it again


@dataclass(frozen=True)
class Run:
    """One run of a workload; `mark` is part of its jobs' ids, `resumed` when it began before."""

    number: int
    mark: str
    resumed: bool


@dataclass(frozen=True)
class JobResult:
    """A job's result as a worker gave it; `attempt` counts deliveries from 1."""

    job_id: str
    state: JobState
    answer: str
    worker: str
    attempt: int
    worked_ms: int


@dataclass(frozen=True)
class RecordedJob:
    """A result with its place in the order of recording; latency from sent to recorded.

    `body` is what was sent, the first thousand characters of it.
    """

    seq: int
    run: int
    result: JobResult
    latency_ms: float
    recorded_at: float  # unix seconds
    body: str
    sent_at: float  # unix seconds


@dataclass(frozen=True)
class DeadLetter:
    """A message that workers took and gave up on; `job_id` is None for a foreign client's."""

    message_id: str
    job_id: str | None
    reason: str
    body: str


@dataclass(frozen=True)
class Counts:
    """Jobs by what became of them: submitted = done + failed + dead + waiting + lost.

    `lost` are without a result though their run ended, `waiting` those whose run goes on;
    `duplicated` counts second, different results of a job, `repeated` answers that came again.
    """

    submitted: int = 0
    done: int = 0
    failed: int = 0
    dead: int = 0
    waiting: int = 0
    lost: int = 0
    duplicated: int = 0
    repeated: int = 0


class ResultsStore(JobPages):
    """Jobs and results in one SQLite file (0600), for several threads and processes at once.

    Each method is one transaction: a kill at any moment leaves it done or not begun. It waits
    at most `busy_s` seconds for other processes.
    """

    def __init__(self, path: Path, *, busy_s: float = 30.0) -> None:
        private_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            path, timeout=busy_s, isolation_level=None, check_same_thread=False
        )
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            # In WAL mode this loses nothing when the process is killed.
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise LabctlError(
                f"the results in {path} cannot be read: {error}",
                "move the file away to begin anew",
            ) from error

    def __enter__(self) -> ResultsStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; calls after this fail."""
        with self._lock:
            self._database.close()

    def begin_run(self, workload: str, *, purpose: Purpose, jobs: int, seed: int) -> Run:
        """Return the run to work on: one with the same figures that never ended, or a new one."""
        with self._write() as database:
            row = database.execute(
                "SELECT run, mark FROM runs WHERE workload=? AND purpose='run' AND jobs=?"
                " AND seed=? AND ended_at IS NULL ORDER BY run DESC LIMIT 1",
                (workload, jobs, seed),
            ).fetchone()
            if row and purpose == "run":
                return Run(row[0], row[1], resumed=True)
            mark = secrets.token_hex(4)
            cursor = database.execute(
                "INSERT INTO runs (mark, workload, purpose, jobs, seed, started_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (mark, workload, purpose, jobs, seed, time.time()),
            )
            return Run(int(cursor.lastrowid or 0), mark, resumed=False)

    def end_run(self, run: int) -> None:
        """Note that a run waits no longer: what has no result by now counts as lost."""
        with self._write() as database:
            database.execute("UPDATE runs SET ended_at=? WHERE run=?", (time.time(), run))

    def last_run(self, purpose: Purpose = "run") -> int | None:
        """Return the number of the latest run; None when there was none."""
        rows = self._read("SELECT max(run) FROM runs WHERE purpose=?", [purpose])
        number = rows[0][0]
        return int(number) if number is not None else None

    def open_run(self) -> int | None:
        """Return the number of the latest run that has not ended; None when there is none."""
        ((number,),) = self._read(
            "SELECT max(run) FROM runs WHERE purpose='run' AND ended_at IS NULL"
        )
        return int(number) if number is not None else None

    def submit(self, run: int, bodies: Mapping[str, str]) -> None:
        """Note jobs (body by job id) as sent now; done before they are sent, so none is forgotten.

        A job that is sent again keeps its first time.
        """
        now = time.time()
        rows = [(job_id, run, masked(body)[:_BODY_KEPT], now) for job_id, body in bodies.items()]
        with self._write() as database:
            database.executemany("INSERT OR IGNORE INTO jobs VALUES (?, ?, ?, ?)", rows)

    def answered(self, run: int) -> int:
        """Return how many of a run's jobs have a result."""
        ((count,),) = self._read("SELECT count(*) FROM results WHERE run=?", [run])
        return int(count)

    def unanswered(self, run: int) -> list[str]:
        """Return the ids of a run's jobs that have no result and are no dead letter, in order."""
        return [job_id for job_id, _, is_dead in self.without_result(run) if not is_dead]

    def without_result(self, run: int) -> list[tuple[str, str, bool]]:
        """Return a run's jobs without a result: id, body, and whether they are dead letters."""
        rows = self._read(
            "SELECT job_id, body, job_id IN (SELECT job_id FROM dead WHERE run=?1) FROM jobs"
            " WHERE run=?1 AND job_id NOT IN (SELECT job_id FROM results WHERE run=?1)"
            " ORDER BY job_id",
            [run],
        )
        return [(job_id, body, bool(is_dead)) for job_id, body, is_dead in rows]

    def settled(self, job_ids: Sequence[str]) -> set[str]:
        """Return which of these jobs have a result or are dead letters."""
        rows = self._read(
            "SELECT job_id FROM results WHERE job_id IN (SELECT value FROM json_each(?1))"
            " UNION SELECT job_id FROM dead WHERE job_id IN (SELECT value FROM json_each(?1))",
            [json.dumps(list(job_ids))],
        )
        return {row[0] for row in rows}

    def record(self, result: JobResult) -> bool:
        """Record a job's result; False when it has one already or was not submitted here."""
        return self.record_all([result]) == ["new"]

    def record_all(self, results: Sequence[JobResult]) -> list[Arrival]:
        """Record results, at most one for each job, and say what became of each."""
        with self._write() as database:
            return [_record(database, result) for result in results]

    def since(self, run: int, seq: int, *, limit: int = 1000) -> list[RecordedJob]:
        """Return the results of a run recorded after the one numbered `seq`, in that order."""
        rows = self._read(
            f"{_SELECT} WHERE results.run=? AND seq>? ORDER BY seq LIMIT ?", [run, seq, limit]
        )
        return [_recorded(row) for row in rows]

    def find(
        self,
        *,
        job_id: str | None = None,
        state: JobState | None = None,
        text: str | None = None,
        run: int | None = None,
        limit: int = 100,
    ) -> list[RecordedJob]:
        """Return the latest results that match everything given; `text` in an id or an answer."""
        clauses, values = ["1"], list[str | int]()
        for column, value in (("job_id", job_id), ("state", state), ("results.run", run)):
            if value is not None:
                clauses.append(f"{column}=?")
                values.append(value)
        if text is not None:
            clauses.append("(instr(answer, ?) OR instr(job_id, ?))")
            values += [text, text]
        rows = self._read(
            f"{_SELECT} WHERE {' AND '.join(clauses)} ORDER BY seq DESC LIMIT ?", [*values, limit]
        )
        return [_recorded(row) for row in rows]

    def counts(self, run: int | None = None) -> Counts:
        """Count the jobs of one run, or of all."""
        states = dict[str, int](
            self._read(f"SELECT state, count(*) FROM results WHERE {_OF_RUN} GROUP BY state", [run])
        )
        submitted, of_ended = self._per_end("jobs", run)
        answered, answered_of_ended = self._per_end("results", run)
        dead, dead_of_ended = self._per_end(_DEAD_JOBS, run)
        ((repeated, duplicated),) = self._read(
            f"SELECT total(repeated), total(duplicated) FROM again WHERE {_OF_RUN}", [run]
        )
        lost = of_ended - answered_of_ended - dead_of_ended
        return Counts(
            submitted=submitted,
            done=states.get("done", 0),
            failed=states.get("failed", 0),
            dead=dead,
            waiting=submitted - answered - dead - lost,
            lost=lost,
            duplicated=int(duplicated),
            repeated=int(repeated),
        )

    def latency_ms(self, run: int, percents: Sequence[int] = (50, 95)) -> dict[str, float]:
        """Return percentiles (nearest rank) of a run's latencies as {"p50": ms}; 0.0 without."""
        latencies = self._read(
            "SELECT latency_ms FROM results WHERE run=? ORDER BY latency_ms", [run]
        )
        if not latencies:
            return {f"p{percent}": 0.0 for percent in percents}
        ranks = {percent: math.ceil(percent / 100 * len(latencies)) for percent in percents}
        return {f"p{p}": round(latencies[max(0, rank - 1)][0], 1) for p, rank in ranks.items()}

    def bury(self, letters: Iterable[DeadLetter]) -> None:
        """Note dead letters; one that was noted before keeps its first reason."""
        now = time.time()
        rows = [
            (
                letter.message_id,
                letter.job_id,
                masked(letter.reason),
                masked(letter.body)[:_BODY_KEPT],
                now,
            )
            for letter in letters
        ]
        with self._write() as database:
            database.executemany(
                "INSERT OR IGNORE INTO dead (message_id, job_id, reason, body, seen_at, run)"
                " VALUES (?1, ?2, ?3, ?4, ?5, (SELECT run FROM jobs WHERE job_id=?2))",
                rows,
            )

    def dead_letters(self, *, limit: int = 100) -> list[DeadLetter]:
        """Return the latest dead letters whose job has no result since."""
        rows = self._read(
            f"SELECT message_id, job_id, reason, body FROM {STILL_DEAD}"
            " ORDER BY seen_at DESC LIMIT ?",
            [limit],
        )
        return [DeadLetter(*row) for row in rows]

    def _per_end(self, table: str, run: int | None) -> tuple[int, int]:
        """Count a table's rows, and those of them whose run has ended."""
        ((count, of_ended),) = self._read(
            f"SELECT count(*), count(ended_at) FROM {table} JOIN runs USING (run) WHERE {_OF_RUN}",
            [run],
        )
        return int(count), int(of_ended)

    def _read(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def _record(database: sqlite3.Connection, result: JobResult) -> Arrival:
    now = time.time()
    job = database.execute(
        "SELECT run, sent_at FROM jobs WHERE job_id=?", (result.job_id,)
    ).fetchone()
    if job is None:
        return "unknown"
    run, sent_at = job
    said = (masked(result.answer), masked(result.worker))
    facts = (result.state, *said, result.attempt, result.worked_ms)
    inserted = database.execute(
        "INSERT OR IGNORE INTO results (state, answer, worker, attempt, worked_ms,"
        " job_id, run, latency_ms, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*facts, result.job_id, run, max(0.0, (now - sent_at) * 1000), now),
    )
    if inserted.rowcount:
        return "new"
    (same,) = database.execute(
        "SELECT (state, answer, worker, attempt, worked_ms) = (?, ?, ?, ?, ?)"
        " FROM results WHERE job_id=?",
        (*facts, result.job_id),
    ).fetchone()
    database.execute(
        "INSERT INTO again VALUES (?1, ?2, ?3, ?4) ON CONFLICT (job_id) DO UPDATE"
        " SET repeated=repeated+?3, duplicated=duplicated+?4",
        (result.job_id, run, int(same), int(not same)),
    )
    return "repeated" if same else "duplicated"


def _recorded(row: tuple[Any, ...]) -> RecordedJob:
    seq, run, job_id, state, answer, worker, attempt, worked_ms, *rest = row
    result = JobResult(job_id, state, answer, worker, attempt, worked_ms)
    return RecordedJob(seq, run, result, *rest)
