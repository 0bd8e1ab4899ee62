"""The write-ahead journal of a session: what was intended, what was made, what is gone.

An intent is on disk before the call that it announces.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from labctl.ledger.lines import Lines

State = Literal["creating", "standing", "deleting", "gone"]


@dataclass(frozen=True)
class Entry:
    """What the journal knows of one resource; `id` is empty until its creation was recorded."""

    resource: str
    kind: str
    name: str
    state: State
    needs: frozenset[str] = frozenset()
    id: str = ""
    generation: int = 1
    attributes: Mapping[str, Any] = field(default_factory=dict)
    members: tuple[Mapping[str, Any], ...] = ()
    since: float = 0.0  # unix seconds of the intent to create it


def fold(records: Iterable[Mapping[str, Any]]) -> dict[str, Entry]:
    """Return the state that a sequence of records leads to, by resource; pure."""
    entries: dict[str, Entry] = {}
    for record in records:
        _apply(entries, record)
    return entries


def _apply(entries: dict[str, Entry], record: Mapping[str, Any]) -> None:
    name = str(record["resource"])
    if record["did"] == "intended":
        entries[name] = Entry(
            resource=name,
            kind=record["kind"],
            name=record["name"],
            state="creating",
            needs=frozenset(record["needs"]),
            generation=record["generation"],
            since=record["at"],
        )
    elif name in entries:
        entries[name] = _after(entries[name], record)


def _after(entry: Entry, record: Mapping[str, Any]) -> Entry:
    match record["did"]:
        case "made":
            return replace(
                entry,
                state="standing",
                id=record["id"],
                attributes=record["attributes"],
                members=tuple(record["members"]),
                needs=frozenset(record["needs"]),
            )
        case "deleting":
            return replace(entry, state="deleting")
        case "gone":
            return replace(entry, state="gone")
    return entry


class Journal:
    """Appends to a session's journal, each record synced to disk before the call returns.

    Safe for several threads of the one process that holds the session's lock. Who does not hold
    it uses `fold(read_records(path))`.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._lines = Lines(path)
        self._entries = fold(self._lines.found)

    @property
    def entries(self) -> dict[str, Entry]:
        """Return what the journal knows now, by resource."""
        with self._lock:
            return dict(self._entries)

    def intend(
        self, *, resource: str, kind: str, name: str, needs: Iterable[str], generation: int = 1
    ) -> None:
        """Record that a resource is about to be created."""
        self._append(
            did="intended",
            resource=resource,
            kind=kind,
            name=name,
            needs=sorted(needs),
            generation=generation,
        )

    def made(
        self,
        resource: str,
        *,
        id: str,
        attributes: Mapping[str, Any],
        members: Iterable[Mapping[str, Any]],
        needs: Iterable[str],
    ) -> None:
        """Record that a resource stands, and what is known of it."""
        self._append(
            did="made",
            resource=resource,
            id=id,
            attributes=dict(attributes),
            members=[dict(member) for member in members],
            needs=sorted(needs),
        )

    def deleting(self, resource: str) -> None:
        """Record that a resource is about to be deleted."""
        self._append(did="deleting", resource=resource)

    def gone(self, resource: str) -> None:
        """Record that a resource is not there any more."""
        self._append(did="gone", resource=resource)

    def close(self) -> None:
        """Close the file; nothing is left to write."""
        self._lines.close()

    def _append(self, **record: Any) -> None:  # noqa: ANN401 - any JSON value
        record = {"at": time.time(), **record}
        with self._lock:
            self._lines.append(record)
            _apply(self._entries, record)
