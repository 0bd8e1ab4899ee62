"""Does faults to a lab's machines, holds them for a time, and undoes them, whoever did them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from labctl.engine.bus import EventFile
from labctl.engine.machines import given_roles
from labctl.engine.meanwhile import Meanwhile
from labctl.engine.spots import chosen_spots, role_of, spot_with, still_there
from labctl.engine.stage import Stage
from labctl.errors import Interrupted, LabctlError, TransportError, UsageError
from labctl.events import FaultBegan, FaultEnded, Warned
from labctl.faults.base import Fault, Spot
from labctl.faults.registry import faults
from labctl.ledger.faults import FaultEntry, FaultsFile, faults_held, faults_on
from labctl.spec.params import Scalar
from labctl.transport.base import Machine
from labctl.transport.parallel import each

_LOOK_S = 0.2
_UNDO_PATIENCE_S = 120.0  # another labctl may just do or undo a fault

OnWait = Callable[[float, Mapping[str, int]], None]
"""Is told how many seconds are left, and what became of a run's jobs so far."""


@dataclass(frozen=True)
class Wanted:
    """A fault as a user asked for it; without `for_s` it stays until it is cleared."""

    fault: Fault
    chosen: Mapping[str, Scalar]
    for_s: float | None

    @property
    def passes(self) -> bool:
        """Whether it is over as soon as it is done."""
        return self.fault.passes and self.for_s is None

    def until(self) -> float:
        """Return the unix time of its end if it is on from now; 0 when it stays."""
        return time.time() + self.for_s if self.for_s is not None else 0.0

    def entry(self, spot: Spot) -> FaultEntry:
        """Return what is recorded of it on one machine."""
        return FaultEntry(
            fault=self.fault.name,
            machine=spot.machine.name,
            machine_id=spot.machine.id,
            what=self.fault.what(self.chosen),
            touches=self.fault.touches,
            options=dict(self.chosen),
            services=spot.services,
            since=time.time(),
            until=self.until(),
        )


@dataclass(frozen=True)
class Begun:
    """The faults that a command did, and those that were on before."""

    now: tuple[FaultEntry, ...]
    before: tuple[FaultEntry, ...]


@contextmanager
def events_kept(stage: Stage) -> Iterator[None]:
    """Keep what happens in the session's events, where every screen finds it."""
    file = EventFile(stage.folder.events_file)
    stage.bus.add(file)
    try:
        yield
    finally:
        stage.bus.remove(file)
        file.close()


def begin_faults(stage: Stage, wanted: Wanted, selector: str) -> Begun:
    """Do a fault to the machines that `worker` or `worker.1` names: to all of them or to none.

    Nothing happens where it is on already. Raises before anything is done when a machine cannot
    be reached or the fault cannot be there.
    """
    spots = chosen_spots(stage, selector)
    with faults_held(stage.folder) as file:
        entries = [_known_or_new(file, wanted, spot, session=stage.record.name) for spot in spots]
        for spot, entry in zip(spots, entries, strict=True):
            if entry.key not in file.on:
                wanted.fault.refuse(spot, wanted.chosen)
        before = tuple(entry for entry in entries if entry.done)
        todo = {
            entry.machine: (entry, replace(spot, services=entry.services))
            for spot, entry in zip(spots, entries, strict=True)
            if not entry.done
        }
        for entry, _ in todo.values():
            file.begins(entry)
        _do(stage, file, wanted, todo)
        until = wanted.until()
        now = tuple(file.done(entry, until=until) for entry, _ in todo.values())
        for entry in now:
            _tell_begun(stage, entry, once=wanted.passes)
            if wanted.passes:
                file.ended(entry)
    return Begun(now, before)


def hold_faults(stage: Stage, entries: Sequence[FaultEntry], *, on_wait: OnWait) -> None:
    """Wait until the time of faults is over and undo them, also when the command is stopped.

    Returns early when another labctl cleared them. Raises `Interrupted` after a stop.
    """
    meanwhile = Meanwhile(stage)
    until = max(entry.until for entry in entries)
    while (left_s := until - time.time()) > 0 and _any_on(stage, entries):
        on_wait(left_s, meanwhile.jobs())
        if stage.cancelled.wait(min(_LOOK_S, left_s)):
            break
    end_faults(stage, entries, meanwhile=meanwhile)
    if stage.cancelled.is_set():
        raise Interrupted("stopped before its time; the fault is undone")


def _any_on(stage: Stage, entries: Sequence[FaultEntry]) -> bool:
    on = faults_on(stage.folder)
    return any(on.get(entry.key) == entry for entry in entries)


def end_faults(
    stage: Stage,
    entries: Collection[FaultEntry] | None = None,
    *,
    meanwhile: Meanwhile | None = None,
) -> list[FaultEntry]:
    """Undo these faults, or all that are on, and return those that are over now.

    Raises `TransportError` after all were tried; what could not be undone stays known.
    """
    if not faults_on(stage.folder):  # nor is a file made where a session is no more
        return []
    with faults_held(stage.folder, patience_s=_UNDO_PATIENCE_S) as file:
        wanted = [entry for entry in file.on.values() if entries is None or entry in entries]
        over, failures = _undo(stage, file, wanted, meanwhile)
    if failures:
        raise _not_undone(stage, failures)
    return over


def _not_undone(stage: Stage, failures: Sequence[LabctlError]) -> TransportError:
    return TransportError(
        f"not undone: {'; '.join(error.message for error in failures)}",
        f"labctl fault clear {stage.record.name} tries again; labctl down ends all of it",
    )


def clear_given_machines(stage: Stage) -> None:
    """Undo the faults on machines that labctl was lent: all others end with what is on them."""
    given = [
        entry
        for entry in faults_on(stage.folder).values()
        if role_of(entry.machine) in given_roles(stage)
    ]
    try:
        end_faults(stage, given)
    except LabctlError as error:
        stage.bus.emit(Warned(message=error.message, hint=error.hint))


def _known_or_new(file: FaultsFile, wanted: Wanted, spot: Spot, *, session: str) -> FaultEntry:
    """Return what is recorded already, or would be; raises `UsageError` where another is on."""
    new = wanted.entry(spot)
    for entry in file.on.values():
        if entry.machine_id != spot.machine.id or entry.touches != wanted.fault.touches:
            continue
        if (entry.key, entry.options) != (new.key, new.options):
            raise UsageError(
                f"{entry.what} is on {entry.machine}: {new.what} does not go with it",
                f"labctl fault clear {session} ends it",
            )
        return entry
    return new


def _do(
    stage: Stage, file: FaultsFile, wanted: Wanted, todo: Mapping[str, tuple[FaultEntry, Spot]]
) -> None:
    """Do the fault on all of these; where one fails, undo all and raise its error."""

    def begin(machine: Machine) -> None:
        _, spot = todo[machine.name]
        wanted.fault.begin(spot, wanted.chosen, held=not wanted.passes)

    ended = each([spot.machine for _, spot in todo.values()], begin)
    for error in ended.values():
        if isinstance(error, LabctlError):
            begun = [entry for entry, _ in todo.values()]
            _, failures = _undo(stage, file, begun, None, silently=True)
            if failures:
                left = _not_undone(stage, failures)
                stage.bus.emit(Warned(message=left.message, hint=left.hint))
            raise error


def _undo(
    stage: Stage,
    file: FaultsFile,
    entries: Sequence[FaultEntry],
    meanwhile: Meanwhile | None,
    *,
    silently: bool = False,
) -> tuple[list[FaultEntry], list[LabctlError]]:
    """Undo faults and forget those that are over; return them, and what went wrong."""
    machines = still_there(stage, [entry.machine for entry in entries])
    over, failures = [], []
    for entry in entries:
        gone = entry.machine_id not in machines
        try:
            if not gone:
                _end(stage, entry, machines[entry.machine_id])
        except LabctlError as error:
            failures.append(error)
            continue
        file.ended(entry)
        over.append(entry)
        if not silently:
            _tell_ended(stage, entry, gone=gone, meanwhile=meanwhile)
    return over, failures


def _end(stage: Stage, entry: FaultEntry, machine: Machine | None) -> None:
    if machine is None:
        raise TransportError(f"{entry.machine} is stopped", "start it first")
    faults()[entry.fault].end(spot_with(stage, machine, entry.services))


def _tell_begun(stage: Stage, entry: FaultEntry, *, once: bool) -> None:
    stage.bus.emit(
        FaultBegan(
            fault=entry.fault,
            what=entry.what,
            machine=entry.machine,
            id=entry.machine_id,
            until=entry.until,
            once=once,
        )
    )


def _tell_ended(
    stage: Stage, entry: FaultEntry, *, gone: bool = False, meanwhile: Meanwhile | None = None
) -> None:
    stage.bus.emit(
        FaultEnded(
            fault=entry.fault,
            what=entry.what,
            machine=entry.machine,
            id=entry.machine_id,
            seconds=max(0.0, time.time() - entry.since),
            gone=gone,
            jobs=meanwhile.jobs() if meanwhile else {},
        )
    )
