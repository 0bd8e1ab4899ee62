"""Action `objects.list`: which objects a bucket holds below a prefix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from labctl.actions.base import Action, ActionContext, Chosen, Fact, Form, OptionName
from labctl.actions.objects import ObjectsModel, Prefix, listed
from labctl.spec.params import Param


class ListModel(ObjectsModel):
    """Where to look, and where to look instead when a flag is given."""

    kind: Literal["objects.list"] = "objects.list"
    flags: Annotated[
        dict[OptionName, Prefix], Field(description="Flags, each with the prefix it looks below.")
    ] = {}


class ListAction(Action[ListModel]):
    """Names without the prefix, in the order of their keys."""

    name = "objects.list"
    model = ListModel

    def form(self, want: ListModel) -> Form:
        """Take the flags."""
        return Form(
            options={
                flag: Param(type="boolean", default=False, help=f"Those below {prefix}.")
                for flag, prefix in want.flags.items()
            }
        )

    def run(self, context: ActionContext, want: ListModel, chosen: Chosen) -> Iterator[Fact]:
        """List the objects below the chosen prefixes, or below the usual one."""
        flagged = [prefix for flag, prefix in want.flags.items() if chosen.options[flag]]
        for prefix in flagged or [want.prefix]:
            for entry in listed(context, want.bucket, prefix):
                name = entry["Key"].removeprefix(prefix)
                at = entry["LastModified"].isoformat(timespec="seconds")
                yield Fact(
                    True,
                    f"{entry['Size']:>10}  {at}  {name}",
                    {"name": name, "key": entry["Key"], "bytes": entry["Size"], "at": at},
                )
