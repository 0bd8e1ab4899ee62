"""Takes a session down and proves it: the journal's resources, then what its tags still find."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from labctl.engine.bus import Bus
from labctl.engine.retry import with_retries
from labctl.errors import Interrupted, LabctlError
from labctl.events import (
    ResourceDeleted,
    StepFailed,
    StepFinished,
    StepRetried,
    StepStarted,
    SweepMade,
    TeardownProved,
)
from labctl.kinds.base import TAG_RESOURCE, TAG_SESSION, Actual, Context, Kind
from labctl.ledger.journal import Entry, Journal
from labctl.plan.make import teardown_order
from labctl.plan.model import Owned
from labctl.targets.base import Target

DELETES_AT_ONCE = 16
EMPTY_SWEEPS_NEEDED = 2
# A created thing may stay invisible for as long as this after a crash (eventual consistency).
SETTLE_S: Mapping[str, float] = {"local": 0.0}
SETTLE_ELSEWHERE_S = 90.0
BETWEEN_SWEEPS_S: Mapping[str, float] = {"local": 0.0}
BETWEEN_SWEEPS_ELSEWHERE_S = 2.0
SWEEPS_AT_MOST = 60


@dataclass
class Teardown:
    """One teardown of everything that bears a set of tags, helped by a journal if there is one."""

    target: Target
    kinds: Mapping[str, Kind[Any]]
    tags: Mapping[str, str]
    context: Context  # of the session; resource and name are filled in for each deletion
    bus: Bus
    journal: Journal | None = None
    spared: frozenset[str] = frozenset()  # ids of sessions that live on, though the tags fit
    deleted: list[str] = field(default_factory=list)
    problems: dict[str, LabctlError] = field(default_factory=dict)

    def proved(self, *, lab: str, session: str) -> TeardownProved:
        """Delete and sweep, and tell what that proved of a session."""
        began = time.monotonic()
        looked_for, left = self.run()
        proof = TeardownProved(
            lab=lab,
            session=session,
            ok=not left,
            deleted=tuple(self.deleted),
            looked_for=looked_for,
            left=left,
            seconds=time.monotonic() - began,
        )
        self.bus.emit(proof)
        return proof

    def run(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Delete, then sweep until nothing is found; return what was looked for and what is left.

        A deletion that fails does not stop the others: what is left is named in the end.
        """
        entries = self._entries()
        for group in teardown_order([_owned(entry) for entry in entries.values()]):
            self._delete_together([self._known(entries[name]) for name in sorted(group)])
        left = self._sweep_until_clean()
        return tuple(sorted(self.kinds)), tuple(sorted(left))

    def _entries(self) -> dict[str, Entry]:
        everything = self.journal.entries if self.journal else {}
        return {name: entry for name, entry in everything.items() if entry.state != "gone"}

    def _known(self, entry: Entry) -> tuple[str, Actual]:
        actual = Actual(
            entry.kind, entry.name, entry.id, entry.attributes, self.tags, entry.members
        )
        return entry.resource, actual

    def _delete_together(self, things: Sequence[tuple[str, Actual]]) -> None:
        with ThreadPoolExecutor(DELETES_AT_ONCE, thread_name_prefix="delete") as pool:
            list(pool.map(lambda thing: self._delete(*thing), things))

    def _delete(self, resource: str, actual: Actual) -> None:
        """Delete one thing; what fails for good is remembered, not raised."""
        if self.context.cancelled.is_set():
            raise Interrupted("the teardown was stopped", "run it again: it picks up where it was")
        if not actual.id:  # a creation that was intended only: the sweep finds it if it happened
            return
        step, began = f"{resource}:delete", time.monotonic()
        self.bus.emit(StepStarted(step=step, action="delete", resource=resource, kind=actual.kind))
        try:
            self._call_delete(step, resource, actual)
        except Interrupted:
            raise
        except LabctlError as error:
            self.problems[actual.name] = error
            self.bus.emit(
                StepFailed(
                    step=step,
                    action="delete",
                    resource=resource,
                    message=error.message,
                    hint=error.hint,
                )
            )
            return
        self._note_deleted(step, resource, actual, seconds=time.monotonic() - began)

    def _call_delete(self, step: str, resource: str, actual: Actual) -> None:
        if self.journal and resource in self.journal.entries:
            self.journal.deleting(resource)
        # What a sweep by owner found says itself which session it was made for.
        session = actual.tags.get(TAG_SESSION, self.context.session)
        context = dataclasses.replace(
            self.context, session=session, resource=resource, name=actual.name
        )
        with_retries(
            lambda attempt: self.kinds[actual.kind].delete(context, actual),
            cancelled=self.context.cancelled,
            on_retry=lambda attempt, delay_s, reason: self.bus.emit(
                StepRetried(step=step, attempt=attempt, delay_s=delay_s, reason=reason)
            ),
        )

    def _note_deleted(self, step: str, resource: str, actual: Actual, *, seconds: float) -> None:
        if self.journal and resource in self.journal.entries:
            self.journal.gone(resource)
        self.problems.pop(actual.name, None)
        self.deleted.append(f"{actual.kind} {actual.name}")
        self.bus.emit(ResourceDeleted(resource=resource, kind=actual.kind, name=actual.name))
        self.bus.emit(
            StepFinished(
                step=step,
                action="delete",
                resource=resource,
                kind=actual.kind,
                name=actual.name,
                seconds=seconds,
            )
        )

    def _sweep_until_clean(self) -> list[str]:
        """Ask every kind for what bears the tags, and delete it, until two answers are empty."""
        empty = 0
        for sweep in range(1, SWEEPS_AT_MOST + 1):
            found = self.find_all()
            self.bus.emit(SweepMade(sweep=sweep, found=tuple(_names(found))))
            if not found:
                empty += 1
                if empty >= EMPTY_SWEEPS_NEEDED and not self._unsettled_s():
                    self._close_intents()
                    return []
            else:
                empty = 0
                self._delete_by_rank(found)
                if self._stuck(found):
                    return _names(self.find_all())
            if self.context.cancelled.wait(self._pause_s() if not found else 0):
                raise Interrupted("the teardown was stopped", "run it again: it picks up")
        return _names(self.find_all())

    def _stuck(self, found: Sequence[Actual]) -> bool:
        """Whether nothing that was found could be deleted: another sweep would not help."""
        return all(actual.name in self.problems for actual in found)

    def _pause_s(self) -> float:
        pause = BETWEEN_SWEEPS_S.get(self.target.name, BETWEEN_SWEEPS_ELSEWHERE_S)
        return max(pause, min(self._unsettled_s(), 5.0))

    def _unsettled_s(self) -> float:
        """Return for how many seconds more an intended creation might still become visible."""
        settle = SETTLE_S.get(self.target.name, SETTLE_ELSEWHERE_S)
        open_since = [
            entry.since for entry in self._entries().values() if entry.state == "creating"
        ]
        return max([settle - (time.time() - since) for since in open_since] + [0.0])

    def _close_intents(self) -> None:
        for name in self._entries():
            if self.journal:
                self.journal.gone(name)

    def find_all(self) -> list[Actual]:
        """Return everything of every kind that bears the tags, by the services' own lists."""

        def listed(kind: Kind[Any]) -> list[Actual]:
            return with_retries(
                lambda attempt: kind.list_tagged(self.target, self.tags),
                cancelled=self.context.cancelled,
                on_retry=lambda attempt, delay_s, reason: None,
            )

        with ThreadPoolExecutor(len(self.kinds), thread_name_prefix="sweep") as pool:
            everything = [
                actual for found in pool.map(listed, self.kinds.values()) for actual in found
            ]
        return [each for each in everything if each.tags.get(TAG_SESSION) not in self.spared]

    def delete_found(self, found: Sequence[Actual]) -> list[str]:
        """Delete these things and no others; return the names of those that are still there."""
        self._delete_by_rank(found)
        still = {(actual.kind, actual.id) for actual in self.find_all()}
        return _names([actual for actual in found if (actual.kind, actual.id) in still])

    def _delete_by_rank(self, found: Sequence[Actual]) -> None:
        ranks = sorted({self.kinds[actual.kind].teardown_rank for actual in found})
        for rank in ranks:
            self._delete_together(
                [
                    (actual.tags.get(TAG_RESOURCE, actual.name), actual)
                    for actual in found
                    if self.kinds[actual.kind].teardown_rank == rank
                ]
            )


def _owned(entry: Entry) -> Owned:
    return Owned(entry.resource, entry.kind, entry.name, entry.needs)


def _names(found: Sequence[Actual]) -> list[str]:
    return [f"{actual.kind} {actual.name}" for actual in found]
