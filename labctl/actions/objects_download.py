"""Action `objects.download`: objects of a bucket become files of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from labctl.actions.base import Action, ActionContext, Chosen, Fact, Form, Words
from labctl.actions.objects import ObjectsModel, content, refuse_unsafe
from labctl.errors import UsageError
from labctl.spec.params import Param

_MOST_BYTES = 256 * 2**20


class DownloadModel(ObjectsModel):
    """Where the objects lie."""

    kind: Literal["objects.download"] = "objects.download"


class DownloadAction(Action[DownloadModel]):
    """A file that is there already is never written over."""

    name = "objects.download"
    model = DownloadModel

    def form(self, want: DownloadModel) -> Form:
        """Take names and the folder they go to."""
        folder = Param(type="string", default=".", help="The folder that the files go to.")
        return Form(Words("name", "Names of objects."), {"to": folder})

    def run(self, context: ActionContext, want: DownloadModel, chosen: Chosen) -> Iterator[Fact]:
        """Download each object, or say that there is none of the name."""
        refuse_unsafe(chosen.words)
        folder = Path(str(chosen.options["to"]))
        for name in chosen.words:
            if (folder / name).exists():
                raise UsageError(f"{folder / name} is there already", "give --to another folder")
        for name in chosen.words:
            data = content(context, want.bucket, f"{want.prefix}{name}", most_bytes=_MOST_BYTES)
            if data is None:
                yield Fact(False, f"{name}: there is no such object", {"name": name, "file": None})
                continue
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
            yield Fact(
                True,
                f"{name}: {len(data)} bytes to {folder / name}",
                {"name": name, "file": str(folder / name), "bytes": len(data)},
            )
