"""The write-ahead record of a session's faults: which harm is on which machine, since when.

A fault is on disk before it is done and until it is undone, so that it can be undone by whoever
comes after a labctl that was killed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from labctl.ledger.lines import Lines, read_records
from labctl.ledger.lock import faults_lock
from labctl.ledger.sessions import SessionFolder
from labctl.spec.params import Scalar


@dataclass(frozen=True)
class FaultEntry:
    """One fault on one machine; times are unix seconds."""

    fault: str
    machine: str  # `worker.0`
    machine_id: str
    what: str  # the fault in words: "delay of 100 ms"
    touches: str  # what of the machine it holds: two faults never hold the same
    options: Mapping[str, Scalar]
    services: tuple[str, ...]  # those that ran when it began
    since: float
    until: float  # when who began it undoes it; 0: it stays until it is cleared
    done: bool = False  # or else labctl was killed while it was done

    @property
    def key(self) -> str:
        """What tells it from others: a machine that is replaced comes back without it."""
        return f"{self.fault} {self.machine_id}"


class FaultsFile:
    """The faults of a session, for who holds their lock."""

    def __init__(self, folder: SessionFolder) -> None:
        self._lines = Lines(folder.faults_file)
        self._on = _fold(self._lines.found)

    @property
    def on(self) -> dict[str, FaultEntry]:
        """Return the faults that are on, or half done or undone, by key."""
        return dict(self._on)

    def begins(self, entry: FaultEntry) -> None:
        """Record that a fault is about to be done."""
        self._lines.append({"did": "begins", "at": time.time(), **asdict(entry)})
        self._on[entry.key] = entry

    def done(self, entry: FaultEntry, *, until: float) -> FaultEntry:
        """Record that a fault is on now, and return it so."""
        self._lines.append({"did": "done", "at": time.time(), "key": entry.key, "until": until})
        self._on[entry.key] = replace(entry, until=until, done=True)
        return self._on[entry.key]

    def ended(self, entry: FaultEntry) -> None:
        """Record that a fault is undone."""
        self._lines.append({"did": "ended", "at": time.time(), "key": entry.key})
        self._on.pop(entry.key, None)

    def close(self) -> None:
        """Close the file; nothing is left to write."""
        self._lines.close()


def faults_on(folder: SessionFolder) -> dict[str, FaultEntry]:
    """Return the faults that are on in a session's folder, by key, without a lock."""
    return _fold(read_records(folder.faults_file))


@contextmanager
def faults_held(folder: SessionFolder, *, patience_s: float = 0.0) -> Iterator[FaultsFile]:
    """Hold the lock of a session's faults; raises `SessionBusy` after so long."""
    with faults_lock(folder.path, patience_s=patience_s):
        file = FaultsFile(folder)
        try:
            yield file
        finally:
            file.close()


def _fold(records: Iterable[Mapping[str, Any]]) -> dict[str, FaultEntry]:
    on: dict[str, FaultEntry] = {}
    for record in records:
        key = str(record.get("key"))
        match record.get("did"):
            case "begins":
                values = {name: record[name] for name in FaultEntry.__dataclass_fields__}
                entry = FaultEntry(**{**values, "services": tuple(values["services"])})
                on[entry.key] = entry
            case "done" if key in on:
                on[key] = replace(on[key], until=record["until"], done=True)
            case "ended":
                on.pop(key, None)
    return on
