"""A bench for kinds: one session on one endpoint, with nothing of the engine around it."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from labctl.kinds.base import (
    TAG_EXPIRES,
    TAG_LAB,
    TAG_OWNER,
    TAG_RESOURCE,
    TAG_SESSION,
    Actual,
    Context,
)
from labctl.kinds.registry import kind
from labctl.spec.fields import ResourceModel
from tests.contract.endpoints import Endpoint


class Bench:
    """One session on one endpoint, that makes resources and takes all of them down again."""

    def __init__(self, endpoint: Endpoint, folder: Path) -> None:
        self.endpoint = endpoint
        self.session = f"s{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.folder.chmod(0o700)
        self.standing: dict[str, Actual] = {}
        self.cancelled = threading.Event()

    def context(
        self, resource: str, want: ResourceModel | None = None, *, name: str = ""
    ) -> Context:
        full = name or f"labctl-contract-{self.session}-{resource}"
        return Context(
            target=self.endpoint.target,
            lab="contract",
            session=self.session,
            resource=resource,
            name=kind(want.kind).physical_name(full, want) if want else full,
            tags={
                TAG_LAB: "contract",
                TAG_SESSION: self.session,
                TAG_OWNER: "somebody",
                TAG_EXPIRES: "4102444800",
                TAG_RESOURCE: resource,
            },
            keys_folder=self.folder,
            neighbours=dict(self.standing),
            cancelled=self.cancelled,
        )

    def make_all(self, wanted: Mapping[str, ResourceModel]) -> None:
        for resource, want in wanted.items():
            self.make(resource, want)

    def make(self, resource: str, want: ResourceModel) -> Actual:
        actual = kind(want.kind).create(self.context(resource, want), want)
        self.standing[resource] = actual
        return actual

    def find(self, resource: str, want: ResourceModel) -> Actual | None:
        return kind(want.kind).find(self.context(resource, want), want)

    def changes(self, resource: str, want: ResourceModel, actual: Actual) -> list[str]:
        found = kind(want.kind).changes(self.context(resource, want), want, actual)
        return [f"{change.action} {change}" for change in found]

    def mend(self, resource: str, want: ResourceModel, actual: Actual) -> Actual:
        of_kind, context = kind(want.kind), self.context(resource, want)
        changes = of_kind.changes(context, want, actual)
        assert all(change.action == "update" for change in changes)
        mended: Actual = of_kind.update(context, want, actual, changes)
        self.standing[resource] = mended
        return mended

    def delete(self, resource: str, want: ResourceModel, actual: Actual) -> None:
        kind(want.kind).delete(self.context(resource, want), actual)
        self.standing.pop(resource, None)

    def listed(self, want: ResourceModel, **tags: str) -> list[str]:
        wanted = tags or {TAG_SESSION: self.session}
        found = kind(want.kind).list_tagged(self.endpoint.target, wanted)
        return [actual.tags.get(TAG_RESOURCE, "") for actual in found]

    def clear(self) -> None:
        for resource, actual in reversed(list(self.standing.items())):
            context = dataclasses.replace(self.context(resource), name=actual.name)
            kind(actual.kind).delete(context, actual)


@pytest.fixture
def bench(endpoint: Endpoint, tmp_path: Path) -> Iterator[Bench]:
    found = Bench(endpoint, tmp_path)
    yield found
    found.clear()
