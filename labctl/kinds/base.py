"""What a resource kind is: its model, and how to find, create, change, delete and list it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from labctl.plan.model import Change
from labctl.spec.fields import ResourceModel
from labctl.targets.base import Target

if TYPE_CHECKING:
    from labctl.kinds.headroom import Headroom

__all__ = ["Actual", "Change", "Context", "Kind", "Model"]

TAG_LAB = "labctl:lab"
TAG_SESSION = "labctl:session"
TAG_OWNER = "labctl:owner"
TAG_EXPIRES = "labctl:expires"  # unix seconds, as text
TAG_RESOURCE = "labctl:resource"  # the resource's name in the lab file

Model = TypeVar("Model", bound=ResourceModel)


@dataclass(frozen=True)
class Actual:
    """A resource as it stands on the target.

    `attributes` hold what references may name (`url`, `arn`, `id`, `name`, ...) and what the
    kind's `changes` compares; `members` hold the parts of a counted resource (instances).
    """

    kind: str
    name: str  # the physical name: requestQueue, labctl-numbers-k3v9-requests
    id: str  # what delete needs: a queue's URL, a bucket's name, a group's id
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    members: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Context:
    """What a kind may use while it works on one resource of one session."""

    target: Target
    lab: str
    session: str  # the session's id
    resource: str  # the resource's name in the lab file
    name: str  # its physical name: plain, or made unique by the session
    tags: Mapping[str, str]
    keys_folder: Path  # 0700; private keys of this session
    neighbours: Mapping[str, Actual]  # the other resources that stand already, by lab-file name
    cancelled: threading.Event
    generation: int = 1  # counts replacements; part of client tokens
    adopt_untagged: bool = False  # the ledger proves that we were creating it when we died
    progress: Callable[[str], None] = lambda message: None
    headroom: Headroom | None = None  # None: no limits of the account are known


class Kind(ABC, Generic[Model]):
    """One kind of resource. Instances are stateless; methods may run in several threads.

    botocore's `ClientError` may escape from any method: the engine maps and retries it.
    A thing that bears the name but not the session's tags raises `OwnershipError` from `find`.
    """

    name: ClassVar[str]  # "sqs.queue"
    model: ClassVar[type[ResourceModel]]
    outputs: ClassVar[tuple[str, ...]]  # the attributes that `${resource.<output>}` may name
    actions: ClassVar[tuple[str, ...]]  # IAM actions of every call made: "sqs:CreateQueue"
    teardown_rank: ClassVar[int]  # lower is deleted earlier when only tags tell what is there

    def physical_name(self, name: str, want: Model) -> str:
        """Return the name made legal for the service: letter case, suffix, length."""
        return name

    @abstractmethod
    def find(self, context: Context, want: Model) -> Actual | None:
        """Return this session's resource as it stands, by its deterministic name or tags."""

    @abstractmethod
    def create(self, context: Context, want: Model) -> Actual:
        """Create it with its tags and wait until it can be used; resumes a half-made one."""

    @abstractmethod
    def changes(self, context: Context, want: Model, actual: Actual) -> list[Change]:
        """Return how the target differs from the lab file; makes no calls."""

    def update(
        self, context: Context, want: Model, actual: Actual, changes: Sequence[Change]
    ) -> Actual:
        """Mend the differences in place; only called when none needs a replacement."""
        raise AssertionError(f"{self.name} reported an update it cannot do: {changes}")

    @abstractmethod
    def delete(self, context: Context, actual: Actual) -> None:
        """Delete it with all it holds and wait until it is gone; already gone is fine."""

    @abstractmethod
    def list_tagged(self, target: Target, tags: Mapping[str, str]) -> list[Actual]:
        """Return everything of this kind that bears these tags, by the service's own list call."""

    @abstractmethod
    def retag(self, context: Context, actual: Actual) -> None:
        """Set the session's tags anew on what stands of it, and keep all others.

        `actual` is as `list_tagged` or `find` gave it; what is gone by now is passed over.
        """

    def price_per_hour_usd(self, want: Model) -> float:
        """Return the rough price of the resource at rest, in US dollars an hour."""
        return 0.0

    def endpoint_outputs(self, actual: Actual) -> Mapping[str, Any]:
        """Return the outputs by name, as references see them."""
        return {name: actual.attributes[name] for name in self.outputs}
