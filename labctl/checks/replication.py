"""Check `replication`: a row that is written on one server reaches the others in time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from labctl.checks.asking import NoAnswer, Role, Roles, ask
from labctl.checks.base import Check, CheckContext, Verdict
from labctl.spec.fields import Duration, StrictModel

_TABLE = "labctl.carried"
_MAKE = (
    "CREATE DATABASE IF NOT EXISTS labctl",
    f"CREATE TABLE IF NOT EXISTS {_TABLE} (mark CHAR(16) PRIMARY KEY)",
)


class ReplicationModel(StrictModel):
    """From which role's first server a row goes to every server of which roles, in what time."""

    source: Annotated[
        Role, Field(alias="from", description="The role whose first server the row is written on.")
    ]
    to: Roles
    at_most: Annotated[
        Duration, Field(gt=0, description="How long the row may take, asking included: 5s.")
    ] = 5.0


class ReplicationCheck(Check[ReplicationModel]):
    """Writes a mark and looks for it elsewhere. Without a server to write on there is nothing."""

    name = "replication"
    model = ReplicationModel

    def holds(self, context: CheckContext, want: ReplicationModel) -> Verdict:
        """Write a new mark and wait for it, for as long as a row may take."""
        mark = secrets.token_hex(8)
        first = f"{want.source}.0"
        try:
            for statement in _MAKE:
                ask(context, first, statement)
            if not ask(context, first, f"INSERT INTO {_TABLE} VALUES ('{mark}')"):
                return Verdict(True, f"no {want.source} in this session")
            return self._wait(context, want, mark)
        except NoAnswer as error:
            return Verdict(False, str(error))

    def _wait(self, context: CheckContext, want: ReplicationModel, mark: str) -> Verdict:
        began = time.monotonic()
        while True:
            found = self._look(context, want, mark)
            took_s = time.monotonic() - began
            missing = [machine for machine, there in found.items() if not there]
            if not missing:
                return Verdict(True, f"a row reached {', '.join(found)} within {took_s:.1f} s")
            if took_s > want.at_most:
                return Verdict(False, f"a row is not on {', '.join(missing)} after {took_s:.1f} s")

    def _look(self, context: CheckContext, want: ReplicationModel, mark: str) -> Mapping[str, bool]:
        query = f"SELECT COUNT(*) FROM {_TABLE} WHERE mark = '{mark}'"
        return {
            machine: row[-1] == 1
            for role in want.to
            for machine, row in ask(context, role, query).items()
        }
