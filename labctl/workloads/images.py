"""Workload `images`: pictures in a bucket that workers process, each named in a job."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from labctl.errors import Interrupted, LabctlError, UsageError
from labctl.events import StepProgressed
from labctl.spec.fields import Name, ResourceName
from labctl.targets.failures import classify
from labctl.text import one_line
from labctl.workloads.base import Request, WorkloadContext
from labctl.workloads.picture_set import picture
from labctl.workloads.queue_workload import QueueModel, QueueWorkload

_UPLOADS_AT_ONCE = 8
_SAY_EVERY = 50
_MOST_BYTES = 20 * 2**20


class ImagesModel(QueueModel):
    """The workload `images`, as a lab file describes it."""

    kind: Literal["images"] = "images"
    bucket: Annotated[
        str, ResourceName(("s3.bucket",)), Field(description="The bucket of the pictures.")
    ]
    prefix: Annotated[
        str, Field(max_length=200, description="What stands before the names of new pictures.")
    ] = "images/unprocessed/"
    folder: Annotated[
        str, Field(description="A folder of pictures to take instead of drawn ones.")
    ] = ""
    endings: Annotated[
        tuple[str, ...], Field(description="The endings of pictures in the folder.")
    ] = ("jpg", "jpeg", "png", "gif", "webp", "bmp", "tif", "tiff")
    ops: Annotated[
        tuple[Name, ...], Field(min_length=1, description="The operations, taken in turn.")
    ] = ("bw",)


class ImagesWorkload(QueueWorkload[ImagesModel]):
    """Uploads the pictures of a run, then asks for each by its name."""

    name = "images"
    model = ImagesModel

    def requests(self, context: WorkloadContext, want: ImagesModel) -> Callable[[int], Request]:
        """Upload the pictures of all jobs and return what names the one of job n."""
        source = _own(want) if want.folder else lambda number: picture(number, want.seed)
        names = _upload_all(context, want, source)
        return lambda number: Request(names[number], {"op": want.ops[number % len(want.ops)]})


def _own(want: ImagesModel) -> Callable[[int], tuple[str, bytes]]:
    """Return what reads the pictures of a folder in turn, later rounds under numbered names."""
    folder = Path(want.folder).expanduser()
    files = sorted(
        file
        for file in (folder.iterdir() if folder.is_dir() else ())
        if file.suffix.lower().lstrip(".") in want.endings and file.is_file()
    )
    if not files:
        raise UsageError(f"no picture in {folder}", f"endings: {', '.join(want.endings)}")
    for file in files:
        if file.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{file} has more than 20 MiB", "take a smaller picture")

    def read(number: int) -> tuple[str, bytes]:
        turn, index = divmod(number, len(files))
        file = files[index]
        name = f"{file.stem}-{turn}{file.suffix}" if turn else file.name
        return name, file.read_bytes()

    return read


def _upload_all(
    context: WorkloadContext, want: ImagesModel, source: Callable[[int], tuple[str, bytes]]
) -> list[str]:
    if want.bucket not in context.neighbours:
        raise LabctlError(f"{want.bucket} is not up", "labctl up brings the lab up")
    bucket, s3 = context.neighbours[want.bucket].name, context.target.client("s3")

    def upload(number: int) -> str:
        # Imported late: a lab file is validated without it.
        from botocore.exceptions import BotoCoreError, ClientError

        if context.cancelled.is_set():
            raise Interrupted("stopped while pictures were uploaded", "the same command goes on")
        name, data = source(number)
        try:
            s3.put_object(Bucket=bucket, Key=f"{want.prefix}{name}", Body=data)
        except (BotoCoreError, ClientError) as error:
            raise classify(error).error from error
        return name

    names: list[str] = []
    with ThreadPoolExecutor(_UPLOADS_AT_ONCE, thread_name_prefix="upload") as pool:
        for name in pool.map(upload, range(want.jobs)):
            names.append(name)
            if len(names) % _SAY_EVERY == 0 or len(names) == want.jobs:
                say = f"{len(names)} of {want.jobs} uploaded, the last {one_line(name)}"
                context.emit(StepProgressed(step="pictures", message=say))
    return names
