"""What a lab file may name, handed to the loader by those who know it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl.spec.fields import ActionModel, BenchmarkEntry, ResourceModel, StrictModel


@dataclass(frozen=True)
class Vocabulary:
    """The names that may stand in a lab file, each with the model that checks what follows.

    `kind_outputs` are the attributes of each kind that `${resource.attribute}` may name;
    `programs` returns the programs that a lab in the given folder may run as agents.
    """

    kinds: Mapping[str, type[ResourceModel]]
    kind_outputs: Mapping[str, tuple[str, ...]]
    workloads: Mapping[str, type[StrictModel]]
    checks: Mapping[str, type[StrictModel]]
    actions: Mapping[str, type[ActionModel]]
    benchmarks: Mapping[str, type[BenchmarkEntry]]
    panels: tuple[str, ...]
    programs: Callable[[Path], Collection[str]]
