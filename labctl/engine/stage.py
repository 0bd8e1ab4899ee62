"""Where a command's work takes place: one session, its lab and target, and what it knows so far."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl.engine.bus import Bus
from labctl.kinds.base import (
    TAG_EXPIRES,
    TAG_LAB,
    TAG_OWNER,
    TAG_RESOURCE,
    TAG_SESSION,
    Actual,
    Context,
    Kind,
)
from labctl.kinds.headroom import Headroom
from labctl.ledger.journal import Entry, Journal
from labctl.ledger.sessions import SessionFolder, SessionRecord
from labctl.spec.fields import ResourceModel
from labctl.spec.lab import Lab
from labctl.targets.base import Target
from labctl.transport.base import Transport

LONGEST_NAME = 63  # a bucket's; every other service allows more


@dataclass
class Stage:
    """Everything that the engine's parts share while they work on one session."""

    record: SessionRecord
    folder: SessionFolder
    lab: Lab
    target: Target
    transport_of: Callable[[], Transport]  # made at its first use: many commands need none
    journal_for_writing: Journal | None  # None: this command does not hold the lock
    entries_at_start: Mapping[str, Entry]
    bus: Bus
    kinds: Mapping[str, Kind[Any]]
    cancelled: threading.Event
    headroom: Headroom | None = None  # None: the catalogue names no limits of the account
    actuals: dict[str, Actual] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)  # resources that this command touched
    pins_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def transport(self) -> Transport:
        """The connections to the session's machines."""
        return self.transport_of()

    @property
    def journal(self) -> Journal:
        """The journal, for a command that holds the session's lock."""
        assert self.journal_for_writing is not None, "only a command with the lock may write"
        return self.journal_for_writing

    @property
    def entries(self) -> Mapping[str, Entry]:
        """What the journal knows now, by resource."""
        held = self.journal_for_writing
        return held.entries if held is not None else self.entries_at_start

    def context(self, resource: str, kind: Kind[Any], *, name: str | None = None) -> Context:
        """Return what a kind may use while it works on one resource."""
        entry = self.entries.get(resource)
        before = self.entries_at_start.get(resource)
        return Context(
            target=self.target,
            lab=self.record.lab,
            session=self.record.id,
            resource=resource,
            name=name or self.physical_name(resource, kind),
            tags=self.tags(resource),
            keys_folder=self.folder.keys,
            neighbours=dict(self.actuals),
            cancelled=self.cancelled,
            generation=entry.generation if entry else 1,
            adopt_untagged=before is not None and before.state == "creating",
            progress=lambda message: None,
            headroom=self.headroom,
        )

    def tags(self, resource: str) -> Mapping[str, str]:
        """Return the tags that prove a resource to be this session's."""
        return {
            TAG_LAB: self.record.lab,
            TAG_SESSION: self.record.id,
            TAG_OWNER: self.record.owner,
            TAG_EXPIRES: str(round(self.record.expires_at)),
            TAG_RESOURCE: resource,
        }

    def physical_name(self, resource: str, kind: Kind[Any]) -> str:
        """Return the name a resource has on the target: plain, or unique to the session."""
        model = self.lab.resources[resource]
        if self.record.plain_names:
            return kind.physical_name(model.name or resource, model)
        full = f"labctl-{self.record.lab}-{self.record.id}-{resource}"
        if len(full) > LONGEST_NAME:
            digest = hashlib.sha256(full.encode()).hexdigest()[:8]
            full = f"labctl-{self.record.id}-{resource[:30]}-{digest}"
        return kind.physical_name(full, model)

    def kind_of(self, resource: str) -> Kind[Any]:
        """Return the kind of a resource of the lab file."""
        return self.kinds[self.lab.resources[resource].kind]

    def needs(self, resource: str) -> frozenset[str]:
        """Return the resources that must stand before this one."""
        return self.lab.dependencies.get(resource, frozenset())

    def resolved(self, value: Any) -> Any:  # noqa: ANN401 - any part of a lab file
        """Return a part of the lab file with its references replaced by what stands."""
        return self.lab.resolve(value, self.lookup)

    def lookup(self, scope: str, attribute: str) -> Any:  # noqa: ANN401 - any output
        """Return what `${scope.attribute}` stands for."""
        if scope == "session":
            return str(getattr(self.record, attribute))
        if scope in self.lab.left_out:
            return ""
        actual = self.actuals[scope]
        return self.kinds[actual.kind].endpoint_outputs(actual)[attribute]

    def want(self, resource: str) -> ResourceModel:
        """Return a resource as the lab file wants it, references resolved where they can be."""
        model = self.lab.resources[resource]
        return self.resolved(model) if self.needs(resource) <= self.actuals.keys() else model


def actuals_from(entries: Mapping[str, Entry]) -> dict[str, Actual]:
    """Return the resources that stand, as the journal knows them, without asking the target."""
    return {
        name: Actual(entry.kind, entry.name, entry.id, entry.attributes, {}, entry.members)
        for name, entry in entries.items()
        if entry.state == "standing"
    }
