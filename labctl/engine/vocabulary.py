"""Puts the registries together: what a lab file may name, and what stands behind each name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from labctl.actions.registry import actions
from labctl.benchmarks.registry import benchmarks
from labctl.checks.registry import checks
from labctl.engine.programs import program_folders
from labctl.kinds.base import Kind
from labctl.kinds.registry import kinds as registered_kinds
from labctl.spec.vocabulary import Vocabulary
from labctl.workloads.registry import workloads

# The views that a session screen can show.
PANELS = ("resources", "queues", "jobs", "machines", "checks", "benchmark", "log")


@cache
def kinds() -> Mapping[str, Kind[Any]]:
    """Return every resource kind by its name."""
    return registered_kinds()


@cache
def vocabulary() -> Vocabulary:
    """Return what a lab file may name, each with the model that checks it."""
    return Vocabulary(
        kinds={name: kind.model for name, kind in kinds().items()},
        kind_outputs={name: kind.outputs for name, kind in kinds().items()},
        workloads={name: workload.model for name, workload in workloads().items()},
        checks={name: check.model for name, check in checks().items()},
        actions={name: action.model for name, action in actions().items()},
        benchmarks={name: each.model for name, each in benchmarks().items()},
        panels=PANELS,
        programs=program_folders,
    )
