"""Asks the database servers of a role, on their machines: no port has to be open for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from labctl.checks.base import CheckContext
from labctl.errors import LabctlError
from labctl.spec.fields import ResourceName
from labctl.text import one_line
from labctl.transport.base import Completed
from labctl.transport.scripts import script

Role = Annotated[str, ResourceName(("ec2.instance",))]
Roles = Annotated[
    tuple[Role, ...],
    Field(min_length=1, description="Roles whose machines run a database server."),
]


class NoAnswer(Exception):
    """A server did not answer, or refused; the message names its machine."""


def ask(context: CheckContext, role: str, statement: str) -> Mapping[str, Sequence[Any]]:
    """Return the last row of each server of a role (or of `role.0`), by machine; none is `()`."""
    ended = context.on_role(role, script("ask-database.sh"), statement.encode())
    return {machine: _row(machine, end) for machine, end in ended.items()}


def _row(machine: str, end: Completed | LabctlError) -> Sequence[Any]:
    if isinstance(end, LabctlError):
        raise NoAnswer(end.message)
    if end.status != 0:
        raise NoAnswer(f"{machine}: {one_line(end.stderr.decode(errors='replace'))}")
    rows = json.loads(end.stdout)
    return tuple(rows[-1].values()) if rows else ()
