"""Action `objects.upload`: files of this machine become objects of a bucket."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from labctl.actions.base import Action, ActionContext, Chosen, Fact, Form, Words
from labctl.actions.objects import ObjectsModel, called, refuse_unsafe
from labctl.errors import UsageError
from labctl.spec.fields import Size


class UploadModel(ObjectsModel):
    """Which files are taken, and where they go."""

    kind: Literal["objects.upload"] = "objects.upload"
    endings: Annotated[
        tuple[str, ...], Field(description="The endings a file may have: [png, jpg]; none: any.")
    ] = ()
    max_size: Annotated[Size, Field(description="The largest file: 20MiB.")] = 100 * 2**20


class UploadAction(Action[UploadModel]):
    """Each file keeps its name; one of the same name is replaced."""

    name = "objects.upload"
    model = UploadModel

    def form(self, want: UploadModel) -> Form:
        """Take files."""
        return Form(Words("file", "Files of this machine.", files=True))

    def run(self, context: ActionContext, want: UploadModel, chosen: Chosen) -> Iterator[Fact]:
        """Upload every file, having looked at all of them first."""
        files = [Path(word) for word in chosen.words]
        for file in files:
            _refuse(file, want)
        bucket = context.resource(want.bucket).name
        s3 = context.target.client("s3")
        for file in files:
            key, size = f"{want.prefix}{file.name}", file.stat().st_size
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            with file.open("rb") as body:
                place = {"Bucket": bucket, "Key": key, "Body": body, "ContentType": kind}
                called(partial(s3.put_object, **place))
            yield Fact(
                True,
                f"{file.name}: {size} bytes as {key}",
                {"name": file.name, "key": key, "bytes": size},
            )


def _refuse(file: Path, want: UploadModel) -> None:
    if not file.is_file():
        raise UsageError(f"there is no file {file}", "give paths of files")
    refuse_unsafe([file.name])
    if want.endings and file.suffix.lower().lstrip(".") not in want.endings:
        raise UsageError(
            f"{file.name} cannot be taken", f"its ending is none of {', '.join(want.endings)}"
        )
    if file.stat().st_size > want.max_size:
        raise UsageError(f"{file.name} has more than {want.max_size} bytes", "take a smaller one")
