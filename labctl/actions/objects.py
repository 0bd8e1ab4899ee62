"""Objects of a bucket by plain names: which names are safe, what there is, what one holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Annotated, Any, TypeVar

from pydantic import Field

from labctl.actions.base import ActionContext
from labctl.errors import LabctlError, UsageError
from labctl.spec.fields import ActionModel, ResourceName
from labctl.targets.failures import classify, or_none
from labctl.text import one_line

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

Prefix = Annotated[
    str, Field(max_length=200, description="What stands before the names in the objects' keys.")
]
Bucket = Annotated[
    str, ResourceName(("s3.bucket",)), Field(description="A bucket of this lab, by its name.")
]
Returned = TypeVar("Returned")


class ObjectsModel(ActionModel):
    """Where the objects lie."""

    bucket: Bucket
    prefix: Prefix = ""


def is_safe(name: str) -> bool:
    """Whether a name can be a key's last part and a file's name anywhere."""
    return _SAFE.fullmatch(name) is not None and ".." not in name


def refuse_unsafe(names: Sequence[str]) -> None:
    """Raise `UsageError` naming the first name that is not safe."""
    for name in names:
        if not is_safe(name):
            raise UsageError(
                f"'{one_line(name, limit=80)}' is no name for an object",
                "use letters, digits, dots, dashes and underscores",
            )


def called(call: Callable[[], Returned]) -> Returned:
    """Return what a call returns; its refusal is a `LabctlError`."""
    # Imported late: a lab file is validated without it.
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except (BotoCoreError, ClientError) as error:
        raise classify(error).error from error


def listed(context: ActionContext, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield the objects below a prefix as the service lists them, key by key."""
    pages = context.target.client("s3").get_paginator("list_objects_v2")
    place = {"Bucket": context.resource(bucket).name, "Prefix": prefix}
    for page in called(lambda: list(pages.paginate(**place))):
        yield from page.get("Contents", ())


def content(context: ActionContext, bucket: str, key: str, *, most_bytes: int) -> bytes | None:
    """Return an object's bytes, or None when there is none; one too large is a `LabctlError`."""
    place = {"Bucket": context.resource(bucket).name, "Key": key}
    s3 = context.target.client("s3")
    answer = called(lambda: or_none(lambda: s3.get_object(**place)))
    if answer is None:
        return None
    with closing(answer["Body"]) as body:
        data: bytes = called(lambda: body.read(most_bytes + 1))
    if len(data) > most_bytes:
        raise LabctlError(f"{key} has more than {most_bytes} bytes", "fetch it with the AWS CLI")
    return data
