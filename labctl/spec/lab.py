"""What a lab file says: the models that check it, and the `Lab` that the rest of labctl uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, model_validator

from labctl.spec import references
from labctl.spec.fields import (
    ActionModel,
    BenchmarkEntry,
    Duration,
    Life,
    Line,
    Name,
    ResourceModel,
    StrictModel,
)
from labctl.spec.hosts import HostModel
from labctl.spec.params import Param, Scalar

Requirement = Literal["private-address", "same-port", "security-groups"]
INSTANCE = "ec2.instance"  # the one kind that is a role, on which agents run

T = TypeVar("T")

_OneLine = Annotated[str, StringConstraints(pattern=r"^[^\r\n]*$", max_length=200)]
_ParamName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
_OutputName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,79}$")]
_Program = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Limits(StrictModel):
    """How long and how dear a session of the lab may get."""

    ttl: Annotated[Life, Field(description="When what is left is ended: 3h.")] = 3 * 3600.0
    budget_usd: Annotated[
        float | None, Field(ge=0, description="The most that a session may cost, in US dollars.")
    ] = None


class Ready(StrictModel):
    """How one knows that an agent is at work: exactly one of the two."""

    log: Annotated[
        _OneLine | None, Field(min_length=1, description="A text that its log shows.")
    ] = None
    port: Annotated[int | None, Field(ge=1, le=65535, description="A port it listens on.")] = None

    @model_validator(mode="after")
    def _is_one(self) -> Ready:
        if (self.log is None) == (self.port is None):
            raise ValueError("give one of log and port")
        return self


class Agent(StrictModel):
    """A program that is pushed to a role and run there as a service."""

    on: Annotated[Name, Field(description="The role: an ec2.instance resource, or given hosts.")]
    program: Annotated[_Program, Field(description="A folder of the lab's or labctl's `remote/`.")]
    args: Annotated[tuple[Line, ...], Field(description="Arguments of the program.")] = ()
    env: Annotated[dict[_Variable, Line], Field(description="Its environment variables.")] = {}
    prepare: Annotated[
        tuple[Line, ...],
        Field(description="What is made once for all its machines: arguments for its `prepare`."),
    ] = ()
    ready: Annotated[Ready | None, Field(description="How one knows that it is at work.")] = None
    restart: Annotated[
        Literal["always", "on-failure", "no"], Field(description="When it is started again.")
    ] = "always"
    stop_timeout: Annotated[
        Duration, Field(description="How long it may take to stop before it is killed: 10s.")
    ] = 10.0
    secrets: Annotated[
        tuple[Name, ...],
        Field(description="Those of the lab's secrets that it gets, in the folder `SECRETS`."),
    ] = ()


class CheckEntry(StrictModel):
    """An assertion as the file has it; `that` is checked by the model of its form."""

    id: Annotated[Name, Field(description="The check's name.")]
    say: Annotated[_OneLine, Field(min_length=1, description="The assertion, for the student.")]
    that: Annotated[
        dict[str, Any],
        Field(min_length=1, max_length=1, description="One form of check, and what must hold."),
    ]
    within: Annotated[Duration, Field(description="How long it is retried: 60s.")] = 0.0
    requires: Annotated[
        tuple[Requirement, ...],
        Field(description="What machines must have for it to mean anything; else it is skipped."),
    ] = ()


class LabFile(StrictModel):
    """A lab: a cloud system that one command brings up, checks and tears down."""

    apiVersion: Literal["labctl/v1"]
    name: Annotated[Name, Field(description="The lab's name; its folder bears it too.")]
    title: Annotated[_OneLine, Field(min_length=1, description="One line for the catalogue.")]
    course: Annotated[_OneLine, Field(description="The course that the lab belongs to.")] = ""
    description: Annotated[str, Field(description="What the lab is about.")] = ""
    params: Annotated[
        dict[_ParamName, Param], Field(description="Values that `--set name=value` may change.")
    ] = {}
    requires: Annotated[
        tuple[Requirement, ...],
        Field(
            description="What its machines must have on every target: an address of their own by"
            " which they call each other, the same ports free on each, groups that filter."
        ),
    ] = ()
    limits: Annotated[Limits, Field(description="How long and how dear it may get.")] = Limits()
    resources: Annotated[
        dict[Name, dict[str, Any]], Field(description="What is made on the target, by name.")
    ] = {}
    hosts: Annotated[
        dict[Name, Annotated[tuple[HostModel, ...], Field(min_length=1)]],
        Field(description="Existing machines that stand in for the instances of a role."),
    ] = {}
    secrets: Annotated[
        tuple[Name, ...],
        Field(description="Passwords that are made up for each session, by name."),
    ] = ()
    agents: Annotated[
        dict[Name, Agent], Field(description="Programs that run on the roles, by name.")
    ] = {}
    workload: Annotated[
        dict[str, Any] | None, Field(description="What `labctl run` sends and collects.")
    ] = None
    checks: Annotated[
        tuple[CheckEntry, ...], Field(description="What must hold on the running lab.")
    ] = ()
    actions: Annotated[
        dict[Name, dict[str, Any]], Field(description="What its client does: `labctl LAB ACTION`.")
    ] = {}
    benchmarks: Annotated[
        dict[Name, dict[str, Any]], Field(description="What `labctl bench LAB` measures, by name.")
    ] = {}
    panels: Annotated[
        tuple[str, ...], Field(description="The views that the session screen shows.")
    ] = ()
    outputs: Annotated[
        dict[_OutputName, Line], Field(description="What `labctl env` and `status` show.")
    ] = {}


@dataclass(frozen=True)
class LabCheck:
    """One assertion: `that` is the model of its form (`jobs`, `queue`); `within` in seconds."""

    id: str
    say: str
    form: str
    that: StrictModel
    within: float
    requires: tuple[Requirement, ...] = ()


@dataclass(frozen=True)
class Lab:
    """A lab without mistakes: parameters filled in, implied resources among the resources.

    Texts in `resources`, `agents`, `workload`, `actions`, `benchmarks`, the `that` of `checks` and
    `outputs` hold references to what is known only on the target: `resolve` them before use. All
    other texts are final. A role that has hosts is no resource, nor is one of no machines: its
    agents are left out with it, and references to it stand for nothing.
    """

    path: Path
    name: str
    title: str
    course: str
    description: str
    params: Mapping[str, Param]
    settings: Mapping[str, Scalar]
    requires: tuple[Requirement, ...]
    limits: Limits
    resources: Mapping[str, ResourceModel]
    left_out: frozenset[str]  # roles of no machines
    hosts: Mapping[str, tuple[HostModel, ...]]
    secrets: tuple[str, ...]
    agents: Mapping[str, Agent]
    workload: StrictModel | None
    checks: tuple[LabCheck, ...]
    actions: Mapping[str, ActionModel]
    benchmarks: Mapping[str, BenchmarkEntry]
    panels: tuple[str, ...]
    outputs: Mapping[str, str]
    dependencies: Mapping[str, frozenset[str]]

    def agent_needs(self, agent: str) -> frozenset[str]:
        """Return the resources that must stand before an agent can be pushed: role and named."""
        model = self.agents[agent]
        named = {reference.scope for _, reference in references.references_in(model)}
        return frozenset({model.on, *named}) & self.resources.keys()

    @staticmethod
    def resolve(value: T, lookup: references.Lookup) -> T:
        """Return a part of the lab with its references replaced; see `references.resolve`."""
        return references.resolve(value, lookup)
