"""What a benchmark is: a tool that measures named subjects of a running lab, round after round.

Each subject is prepared once, measured in every round, and cleaned up whatever happens. A round
that cannot be what it is labelled as is a `ChecksFailed`, not a figure.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import Field, StringConstraints

from labctl.figures.records import Claim, Published, Subject
from labctl.spec.fields import BenchmarkEntry, StrictModel
from labctl.transport.base import Machine, Transport

_Line = Annotated[str, StringConstraints(pattern=r"^[^\r\n]*$", min_length=1, max_length=400)]
SubjectName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,29}$")]


class ClaimModel(StrictModel):
    """What an original published of one subject."""

    per_s: Annotated[float, Field(gt=0, description="Transactions or requests a second.")]
    counts: Annotated[dict[str, float], Field(description="Such as transactions, queries.")] = {}
    latency_ms: Annotated[dict[str, float], Field(description="Such as min, avg, p95, max.")] = {}


class PublishedModel(StrictModel):
    """An original's figures, shown beside ours and marked as theirs."""

    source: Annotated[_Line, Field(description="Where they were published.")]
    wrong: Annotated[tuple[_Line, ...], Field(min_length=1, description="What was wrong there.")]
    figures: Annotated[
        dict[SubjectName, ClaimModel], Field(min_length=1, description="By their own names.")
    ]

    def record(self) -> Published:
        """Return it as results keep it."""
        figures = {name: Claim(**claim.model_dump()) for name, claim in self.figures.items()}
        return Published(source=self.source, wrong=self.wrong, figures=figures)


class BenchmarkModel(BenchmarkEntry):
    """What every kind of benchmark takes; each adds its own fields."""

    published: Annotated[
        PublishedModel | None, Field(description="An original's figures, to show beside ours.")
    ] = None


Model = TypeVar("Model", bound=BenchmarkModel)


@dataclass(frozen=True)
class Host:
    """A machine of a role: how SSH reaches it, and its private address in the lab."""

    machine: Machine
    address: str
    place: str  # the local cloud, or an instance type

    @property
    def name(self) -> str:
        return self.machine.name


@dataclass(frozen=True)
class BenchContext:
    """What a benchmark may use: machines by role, the session's secrets, and a way to stop.

    `run` is a word that no other run has, for files on the machines.
    """

    transport: Transport
    hosts: Callable[[str], Sequence[Host]]
    secret: Callable[[str], str]
    run: str
    cancelled: threading.Event


@dataclass(frozen=True)
class Measured:
    """What one round of one subject gave; `served` is how much each node did, by its own count."""

    per_s: float
    latency_ms: Mapping[str, float]
    counts: Mapping[str, float]
    served: Mapping[str, Mapping[str, int]]
    raw: str
    notes: Sequence[str] = field(default=())


class Benchmark(ABC, Generic[Model]):
    """One kind of benchmark. Instances are stateless; errors are `LabctlError`s."""

    name: ClassVar[str]  # "sysbench"
    model: ClassVar[type[BenchmarkModel]]
    unit: ClassVar[str]  # "transactions per s"

    @abstractmethod
    def subjects(self, want: Model) -> Sequence[str]:
        """Return the names of what is compared, the base first."""

    @abstractmethod
    def settings(self, want: Model) -> Mapping[str, str]:
        """Return what decides the figures, for every table; the same for all subjects."""

    @abstractmethod
    def secrets(self, want: Model) -> Sequence[str]:
        """Return the names of the session's secrets that it uses."""

    @abstractmethod
    def missing(self, context: BenchContext, want: Model, subject: str) -> str:
        """Return why a subject cannot be measured as the lab stands now; empty when it can."""

    @abstractmethod
    def prepare(self, context: BenchContext, want: Model, subject: str) -> Subject:
        """Make what the rounds need and return what serves, as it says itself."""

    @abstractmethod
    def measure(self, context: BenchContext, want: Model, subject: str) -> Measured:
        """Warm up, discard that, and measure one round."""

    @abstractmethod
    def clean_up(self, context: BenchContext, want: Model, subject: str) -> None:
        """Remove what `prepare` made, also when it ended halfway."""
