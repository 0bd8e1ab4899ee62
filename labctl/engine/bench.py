"""Measures a lab: every subject prepared once, rounds that take turns, all of it cleaned up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labctl.bench_events import (
    BenchmarkFinished,
    BenchmarkPrepared,
    BenchmarkRoundMeasured,
    BenchmarkRoundStarted,
    BenchmarkStarted,
)
from labctl.benchmarks.base import BenchContext, Benchmark, BenchmarkModel, Host
from labctl.benchmarks.registry import benchmark
from labctl.engine.machines import given_roles, machines_of, roles
from labctl.engine.secrets import made_secrets
from labctl.engine.stage import Stage
from labctl.errors import Interrupted, LabctlError, UsageError
from labctl.events import Warned
from labctl.figures.records import Figure, Result, Subject, read_results, write_results
from labctl.figures.standing import summary
from labctl.figures.tables import serves
from labctl.ledger.sessions import SessionFolder, new_session_id
from labctl.spec.discovery import unknown_name
from labctl.spec.lab import Lab

MOST_ROUNDS = 50
RESULTS = "bench"


@dataclass(frozen=True)
class BenchWanted:
    """What a user wants measured; no names: every benchmark of the lab, all of its subjects."""

    names: Sequence[str] = ()
    rounds: int = 5
    compare: Sequence[str] = ()


@dataclass
class _Bench:
    """One benchmark on its way: what was chosen of it, and what was measured so far."""

    name: str
    kind: Benchmark[Any]
    want: BenchmarkModel
    chosen: Sequence[str]
    prepared: dict[str, Subject] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def chosen_benchmarks(lab: Lab, wanted: BenchWanted) -> list[str]:
    """Return the benchmarks to measure: those that have every subject that is to be compared.

    Raises `UsageError` for a benchmark or a subject that the lab does not have.
    """
    known = lab.benchmarks
    if not known:
        raise UsageError(f"lab '{lab.name}' has no benchmarks", "labctl show tells what it has")
    for name in wanted.names:
        if name not in known:
            raise unknown_name("benchmark", name, known)
    names = list(wanted.names or known)
    subjects = {each for name in names for each in _subjects(lab, name)}
    for subject in wanted.compare:
        if subject not in subjects:
            raise unknown_name("subject", subject, subjects)
    chosen = [name for name in names if set(wanted.compare) <= set(_subjects(lab, name))]
    if not chosen:
        both = ", ".join(wanted.compare)
        raise UsageError(f"no benchmark has all of {both}", "labctl show tells what each compares")
    for name in chosen:
        _refuse_unknown_secrets(lab, name)
    return chosen


def _refuse_unknown_secrets(lab: Lab, name: str) -> None:
    want: Any = lab.benchmarks[name]
    for secret in benchmark(want.kind).secrets(want):
        if secret not in lab.secrets:
            raise UsageError(
                f"benchmark '{name}' needs the secret '{secret}'", "name it under `secrets:`"
            )


def run_benchmarks(stage: Stage, wanted: BenchWanted) -> list[Result]:
    """Measure and return a result for each benchmark; each is kept in the session's folder."""
    return [_measured(stage, name, wanted) for name in chosen_benchmarks(stage.lab, wanted)]


def results_file(folder: SessionFolder, benchmark: str) -> Path:
    """Return where the latest result of a benchmark is kept."""
    return folder.path / RESULTS / f"{benchmark}.jsonl"


def kept_results(folder: SessionFolder) -> list[Result]:
    """Return the latest result of each benchmark of a session, in the order of their names."""
    files = sorted((folder.path / RESULTS).glob("*.jsonl"))
    return [result for file in files for result in read_results(file)]


def _subjects(lab: Lab, name: str) -> Sequence[str]:
    want: Any = lab.benchmarks[name]
    return benchmark(want.kind).subjects(want)


def _measured(stage: Stage, name: str, wanted: BenchWanted) -> Result:
    want = stage.resolved(stage.lab.benchmarks[name])
    kind = benchmark(want.kind)
    context = _context(stage)
    bench = _Bench(name, kind, want, [])
    bench.chosen = _that_stand(context, bench, wanted.compare)
    stage.bus.emit(
        BenchmarkStarted(
            benchmark=name,
            kind=kind.name,
            say=want.say,
            unit=kind.unit,
            subjects=tuple(bench.chosen),
            rounds=wanted.rounds,
        )
    )
    why = "it was cut short"
    try:
        with _cleaned_up(stage, context, bench):
            _prepare(stage, context, bench)
            _rounds(stage, context, bench, wanted.rounds)
        why = ""
    except LabctlError as error:
        why = error.message
        raise
    finally:
        if why:
            bench.notes.append(f"cut short: {why}")
        result = _result(stage, bench)
        _finish(stage, result, why)
    return result


def _that_stand(context: BenchContext, bench: _Bench, compare: Sequence[str]) -> Sequence[str]:
    """Return the subjects to measure; one that was asked for by name must stand."""
    chosen = []
    for subject in compare or bench.kind.subjects(bench.want):
        why = bench.kind.missing(context, bench.want, subject)
        if not why:
            chosen.append(subject)
        elif compare:
            raise UsageError(
                f"'{subject}' cannot be measured: {why}", "labctl up --set ... adds it"
            )
        else:
            bench.notes.append(f"{subject} was left out: {why}")
    if not chosen:
        raise UsageError(f"'{bench.name}' has nothing to measure: {'; '.join(bench.notes)}")
    return chosen


def _prepare(stage: Stage, context: BenchContext, bench: _Bench) -> None:
    for subject in bench.chosen:
        _go_on(stage)
        began = time.monotonic()
        bench.prepared[subject] = Subject(name=subject, label="", tool="")  # to be cleaned up
        prepared = bench.kind.prepare(context, bench.want, subject)
        bench.prepared[subject] = prepared
        stage.bus.emit(
            BenchmarkPrepared(
                benchmark=bench.name,
                subject=subject,
                tool=prepared.tool,
                serves=serves(prepared),
                seconds=time.monotonic() - began,
            )
        )


def _rounds(stage: Stage, context: BenchContext, bench: _Bench, rounds: int) -> None:
    """Measure round after round; each is begun by the one that ended the round before."""
    for number in range(1, rounds + 1):
        order = bench.chosen if number % 2 else list(reversed(bench.chosen))
        for subject in order:
            _go_on(stage)
            _turn(stage, context, bench, subject, number=number, rounds=rounds)


def _turn(
    stage: Stage,
    context: BenchContext,
    bench: _Bench,
    subject: str,
    *,
    number: int,
    rounds: int,
) -> None:
    stage.bus.emit(
        BenchmarkRoundStarted(benchmark=bench.name, subject=subject, round=number, rounds=rounds)
    )
    began = time.monotonic()
    measured = bench.kind.measure(context, bench.want, subject)
    figure = Figure(
        subject=subject,
        round=number,
        per_s=measured.per_s,
        latency_ms=measured.latency_ms,
        counts=measured.counts,
        served=measured.served,
        seconds=time.monotonic() - began,
        raw=measured.raw,
    )
    bench.figures.append(figure)
    stage.bus.emit(
        BenchmarkRoundMeasured(
            benchmark=bench.name,
            subject=subject,
            round=number,
            rounds=rounds,
            per_s=figure.per_s,
            p95_ms=figure.latency_ms.get("p95", 0.0),
            errors=round(figure.counts.get("errors", 0)),
            served=figure.served,
        )
    )


@contextmanager
def _cleaned_up(stage: Stage, context: BenchContext, bench: _Bench) -> Iterator[None]:
    """Clean up every subject that was begun, also after Ctrl-C; what cannot be is told."""
    try:
        yield
    finally:
        # What asks the machines looks at the cancel event: here it must go on all the same.
        unstoppable = replace(context, cancelled=threading.Event())
        for subject in bench.prepared:
            try:
                bench.kind.clean_up(unstoppable, bench.want, subject)
            except LabctlError as error:
                hint = "the next benchmark on it begins by cleaning up"
                said = f"{subject} was not cleaned up: {error.message}"
                stage.bus.emit(Warned(message=said, hint=hint))


def _go_on(stage: Stage) -> None:
    if stage.cancelled.is_set():
        raise Interrupted("the benchmark was stopped", "labctl bench measures anew")


def _finish(stage: Stage, result: Result, why: str) -> None:
    """Keep what was measured, if anything, and tell the end."""
    if result.figures:
        write_results(results_file(stage.folder, result.benchmark), [result])
    stage.bus.emit(
        BenchmarkFinished(
            benchmark=result.benchmark, ok=not why, standings=tuple(summary(result)), why=why
        )
    )


def _result(stage: Stage, bench: _Bench) -> Result:
    published = bench.want.published
    return Result(
        benchmark=bench.name,
        kind=bench.kind.name,
        say=bench.want.say,
        lab=stage.record.lab,
        session=stage.record.name,
        target=stage.record.target,
        at=time.time(),
        unit=bench.kind.unit,
        settings=bench.kind.settings(bench.want),
        subjects=tuple(each for each in bench.prepared.values() if each.tool),
        figures=tuple(bench.figures),
        published=published.record() if published else None,
        notes=tuple(bench.notes),
    )


def _context(stage: Stage) -> BenchContext:
    return BenchContext(
        transport=stage.transport,
        hosts=lambda role: hosts_of(stage, role),
        secret=lambda name: _secret(stage, name),
        run=new_session_id(),
        cancelled=stage.cancelled,
    )


def hosts_of(stage: Stage, role: str) -> list[Host]:
    """Return the machines of a role with their private addresses; none of a role that is not up."""
    if role not in roles(stage):
        return []
    place = "this machine (local cloud)"
    if stage.target.name != "local":
        place = getattr(stage.lab.resources.get(role), "type", "a given host")
    inside: dict[str, str] = {}
    if role not in given_roles(stage) and role in stage.actuals:
        members = stage.actuals[role].members
        inside = {each["InstanceId"]: str(each["PrivateIpAddress"]) for each in members}
    return [
        Host(machine, inside.get(machine.id, machine.address), place)
        for machine in machines_of(stage, role)
    ]


def _secret(stage: Stage, name: str) -> str:
    return made_secrets(stage.folder, [name])[name]
