"""Check `object`: that a bucket holds an object, what it contains, how many lines it has."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

from pydantic import Field

from labctl.checks.base import Check, CheckContext, Verdict
from labctl.spec.fields import ResourceName, StrictModel
from labctl.targets.failures import or_none

_MOST_BYTES = 64 * 2**20
_PART = 2**20


class ObjectModel(StrictModel):
    """The object; without further fields it need only exist."""

    bucket: Annotated[
        str, ResourceName(("s3.bucket",)), Field(description="A bucket of this lab, by its name.")
    ]
    key: Annotated[str, Field(min_length=1, max_length=1024, description="The object's key.")]
    contains: Annotated[
        str | None, Field(min_length=1, max_length=10_000, description="A text it must contain.")
    ] = None
    min_lines: Annotated[int | None, Field(ge=1, description="The least number of lines.")] = None


class ObjectCheck(Check[ObjectModel]):
    """Reads an object, up to 64 MiB of it."""

    name = "object"
    model = ObjectModel

    def holds(self, context: CheckContext, want: ObjectModel) -> Verdict:
        """Look for the object and read as much of it as the question needs."""
        bucket = context.neighbours.get(want.bucket)
        if bucket is None:
            return Verdict(False, f"{want.bucket} is not up")
        s3, place = context.target.client("s3"), {"Bucket": bucket.name, "Key": want.key}
        answer = or_none(lambda: s3.get_object(**place))
        if answer is None:
            return Verdict(False, f"there is no object {want.key}")
        with closing(answer["Body"]) as body:
            return _judge(body, want)


def _judge(body: Any, want: ObjectModel) -> Verdict:  # noqa: ANN401 - botocore's stream
    text = (want.contains or "").encode()
    lines, read, tail, found = 0, 0, b"", not text
    for part in body.iter_chunks(_PART):
        lines += part.count(b"\n")
        read += len(part)
        found = found or text in tail + part
        tail = (tail + part)[-len(text) :] if text else b""
        if read >= _MOST_BYTES:
            break
    if not found:
        return Verdict(False, f"{want.key} does not contain the text")
    if want.min_lines is not None and lines < want.min_lines:
        return Verdict(False, f"{want.key} has {lines} lines, wanted {want.min_lines}")
    return Verdict(True, f"{want.key} has {lines} lines")
