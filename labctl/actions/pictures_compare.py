"""Action `pictures.compare`: a picture before and after, side by side in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from labctl.actions.base import Action, ActionContext, Chosen, Fact, Form, Words
from labctl.actions.objects import Bucket, Prefix, content, refuse_unsafe
from labctl.actions.picture_cells import Cells, cells_of, side_by_side
from labctl.spec.fields import ActionModel
from labctl.spec.params import Param

_MOST_BYTES = 20 * 2**20


class CompareModel(ActionModel):
    """Where the pictures lie, and where what became of them."""

    kind: Literal["pictures.compare"] = "pictures.compare"
    bucket: Bucket
    before: Annotated[Prefix, Field(description="The prefix of the pictures' keys.")]
    after: Annotated[Prefix, Field(description="The prefix of the keys of what became of them.")]


class CompareAction(Action[CompareModel]):
    """Half blocks, two pixels a character, so that it works in every terminal."""

    name = "pictures.compare"
    model = CompareModel

    def form(self, want: CompareModel) -> Form:
        """Take names and the width of both pictures together."""
        width = Param(type="integer", default=76, min=10, max=400, help="Columns for both.")
        return Form(Words("name", "Names of pictures."), {"width": width})

    def run(self, context: ActionContext, want: CompareModel, chosen: Chosen) -> Iterator[Fact]:
        """Show each picture beside what became of it."""
        refuse_unsafe(chosen.words)
        width = (int(chosen.options["width"]) - 2) // 2
        for name in chosen.words:
            shown: dict[str, Cells | None] = {}
            for side, prefix in (("before", want.before), ("after", want.after)):
                data = content(context, want.bucket, f"{prefix}{name}", most_bytes=_MOST_BYTES)
                shown[side] = cells_of(data, columns=width) if data is not None else None
            there = {side: cells.size if cells else None for side, cells in shown.items()}
            yield Fact(
                all(there.values()),
                f"{name}: {_said('before', there)}, {_said('after', there)}",
                {"name": name, **there},
                side_by_side(shown["before"], shown["after"]),
            )


def _said(side: str, sizes: dict[str, tuple[int, int] | None]) -> str:
    size = sizes[side]
    return f"{side} {size[0]} x {size[1]}" if size else f"{side} not there, or no picture"
