"""Check `database`: what servers answer to a query, each by itself or all of them the same."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from labctl.checks.asking import NoAnswer, Roles, ask
from labctl.checks.base import Check, CheckContext, Verdict
from labctl.spec.fields import Line, StrictModel


class DatabaseModel(StrictModel):
    """The query, and what the last value of its last row must be on each server."""

    on: Roles
    query: Annotated[Line, Field(min_length=1, description="One statement of SQL.")]
    equals: Annotated[Line | None, Field(description="What every server must answer.")] = None
    same: Annotated[bool, Field(description="All servers must answer the same.")] = False

    @model_validator(mode="after")
    def _asks_something(self) -> DatabaseModel:
        if (self.equals is None) == (not self.same):
            raise ValueError("give one of equals and same: true")
        return self


class DatabaseCheck(Check[DatabaseModel]):
    """Asks each server on its own machine, as root there; a role may have no machines."""

    name = "database"
    model = DatabaseModel

    def holds(self, context: CheckContext, want: DatabaseModel) -> Verdict:
        """Ask every server once."""
        try:
            found = {
                machine: str(row[-1]) if row else "nothing"
                for role in want.on
                for machine, row in ask(context, role, want.query).items()
            }
        except NoAnswer as error:
            return Verdict(False, str(error))
        said = "; ".join(f"{machine} says {value}" for machine, value in found.items())
        if want.same:
            return Verdict(len(set(found.values())) <= 1, said)
        wrong = [machine for machine, value in found.items() if value != want.equals]
        return Verdict(not wrong, f"{said}; wanted {want.equals}" if wrong else said)
