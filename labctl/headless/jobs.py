"""Shows jobs, answers and dead letters; what jobs say is made harmless first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labctl.headless.json_lines import JsonLines
from labctl.headless.plain import Plain
from labctl.ledger.results import Counts, DeadLetter, RecordedJob
from labctl.text import harmless, one_line
from labctl.workloads.base import Answer

Printer = Plain | JsonLines


def print_jobs(printer: Printer, jobs: Sequence[RecordedJob], counts: Counts) -> None:
    """Show recorded results, and how many jobs there are of each state."""
    if isinstance(printer, JsonLines):
        for job in jobs:
            printer.line(
                {
                    **vars(job.result),
                    "latency_ms": job.latency_ms,
                    "recorded_at": job.recorded_at,
                    "run": job.run,
                }
            )
        return
    printer.table(
        ["job", "state", "worker", "attempt", "worked", "latency", "result"],
        [
            [
                job.result.job_id,
                job.result.state,
                job.result.worker,
                job.result.attempt,
                f"{job.result.worked_ms} ms",
                f"{job.latency_ms:.0f} ms",
                one_line(job.result.answer, limit=90),
            ]
            for job in jobs
        ],
    )
    printer.say(
        f"{counts.submitted} submitted, {counts.done} done, {counts.failed} failed, "
        f"{counts.dead} dead, {counts.waiting} waiting, {counts.lost} lost"
    )


def print_dead_letters(printer: Printer, letters: Sequence[DeadLetter]) -> None:
    """Show dead letters with the reason why workers gave them up."""
    if isinstance(printer, JsonLines):
        for letter in letters:
            printer.line(vars(letter))
        return
    rows = [[letter.job_id or "-", letter.reason, one_line(letter.body)] for letter in letters]
    printer.table(["job", "reason", "body"], rows)
    printer.say(f"{len(letters)} dead letters")


def print_answers(printer: Printer, answers: Iterable[Answer], *, waited: bool) -> tuple[int, int]:
    """Show each answer as it comes, with its round trip.

    Returns how many jobs failed, and how many have no answer though it was waited for.
    """
    failed = unanswered = count = 0
    for answer in answers:
        count += 1
        failed += answer.state == "failed"
        unanswered += waited and answer.state in ("lost", "dead")
        if isinstance(printer, JsonLines):
            printer.line(vars(answer))
        elif answer.state in ("done", "failed"):
            how = f"in {answer.latency_ms / 1000:.3f} s by {answer.worker}"
            printer.say(f"{answer.job_id} {answer.state} {how}", harmless(answer.text))
        else:
            printer.say(f"{answer.job_id} {answer.state}")
    if isinstance(printer, Plain):
        answered = f", {count - unanswered} answered, {failed} failed" if waited else ""
        printer.say(f"{count} sent{answered}")
    return failed, unanswered
