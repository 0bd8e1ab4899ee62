"""What an action is: a thing a lab's client does, declared in the lab file, offered by each face.

A face makes a command or a form from `Form`, hands back what was chosen as `Chosen`, and shows
the facts that come.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, StringConstraints

from labctl.actions.picture_cells import Cells
from labctl.errors import LabctlError
from labctl.kinds.base import Actual
from labctl.spec.fields import ActionModel
from labctl.spec.params import Param, Scalar
from labctl.targets.base import Target
from labctl.transport.parallel import OnRole, no_machines
from labctl.workloads.base import Answer, Request

Model = TypeVar("Model", bound=ActionModel)

_OWN_OPTIONS = frozenset(
    ("debug", "help", "json", "labs", "name", "plain-names", "quiet", "set", "target")
)


def _not_our_own(option: str) -> str:
    if option.replace("_", "-") in _OWN_OPTIONS:
        raise ValueError(f"'{option}' is an option of every command; choose another name")
    return option


OptionName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$"), AfterValidator(_not_our_own)
]
"""The name of an action's option, as a lab file declares it."""


@dataclass(frozen=True)
class Words:
    """One or more words that an action takes: names, or (`files`) paths on this machine."""

    name: str
    help: str
    files: bool = False


@dataclass(frozen=True)
class Form:
    """What an action takes: words, if any, and options with their types, bounds and defaults."""

    words: Words | None = None
    options: Mapping[str, Param] = field(default_factory=dict)


@dataclass(frozen=True)
class Chosen:
    """What a person chose; every option of the form is there, words only where it has them."""

    words: tuple[str, ...] = ()
    options: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Fact:
    """One thing that an action did or found; `say` may hold foreign text, not yet harmless."""

    ok: bool
    say: str
    record: Mapping[str, Any]  # the same for programs, plain data
    picture: Cells | None = None


@dataclass(frozen=True)
class ActionContext:
    """What an action may use: the session's resources by lab-file name, its workload, machines."""

    target: Target
    neighbours: Mapping[str, Actual]
    send: Callable[[Iterable[Request]], Iterator[Answer]]
    cancelled: threading.Event
    on_role: OnRole = no_machines

    def resource(self, name: str) -> Actual:
        """Return a resource of the lab; raises `LabctlError` when it is not up."""
        if name not in self.neighbours:
            raise LabctlError(f"{name} is not up", "labctl up brings the lab up")
        return self.neighbours[name]


class Action(ABC, Generic[Model]):
    """One kind of action. Instances are stateless; errors are `LabctlError`s."""

    name: ClassVar[str]  # "objects.upload"
    model: ClassVar[type[ActionModel]]

    @abstractmethod
    def form(self, want: Model) -> Form:
        """Return what the action takes; asks no target, so that help works without one."""

    @abstractmethod
    def run(self, context: ActionContext, want: Model, chosen: Chosen) -> Iterator[Fact]:
        """Do it and yield what was done. What is wrong with the words is an error before that."""
