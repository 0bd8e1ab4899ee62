"""Empties a bucket for good: every version, every delete marker, every unfinished upload."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from labctl.errors import Interrupted, TargetError
from labctl.targets.failures import or_none

_PAGE = 1000  # the most that one DeleteObjects call takes


def empty_bucket(
    s3: Any,  # noqa: ANN401 - boto3's client
    bucket: str,
    *,
    cancelled: threading.Event,
    progress: Callable[[str], None],
) -> None:
    """Delete everything in a bucket, page by page; a bucket that is gone is empty.

    Raises `TargetError` when the service keeps an object back (a lock, a policy).
    """
    deleted = 0
    for page in _pages(s3, bucket):
        if cancelled.is_set():
            raise Interrupted(f"stopped while emptying bucket {bucket}", "run it again: it goes on")
        _delete_page(s3, bucket, page)
        deleted += len(page)
        progress(f"{deleted} object versions deleted")
    _abort_uploads(s3, bucket)


def _pages(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:  # noqa: ANN401 - as above
    """Give pages until none is left; each is looked up anew, as the one before is gone by then."""
    while True:
        answer = or_none(lambda: s3.list_object_versions(Bucket=bucket, MaxKeys=_PAGE)) or {}
        page = [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for group in ("Versions", "DeleteMarkers")
            for each in answer.get(group, ())
        ]
        if not page:
            return
        for start in range(0, len(page), _PAGE):
            yield page[start : start + _PAGE]


def _delete_page(s3: Any, bucket: str, page: list[dict[str, str]]) -> None:  # noqa: ANN401 - as above
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": page, "Quiet": True})
    if errors := answer.get("Errors"):
        first = errors[0]
        raise TargetError(
            f"bucket {bucket} keeps {len(errors)} objects back: {first.get('Code')}",
            "an object lock or a bucket policy forbids their deletion",
        )


def _abort_uploads(s3: Any, bucket: str) -> None:  # noqa: ANN401 - as above
    while True:
        answer = or_none(lambda: s3.list_multipart_uploads(Bucket=bucket, MaxUploads=_PAGE)) or {}
        uploads = answer.get("Uploads", ())
        for upload in uploads:
            _abort(s3, bucket, upload)
        if not uploads:
            return


def _abort(s3: Any, bucket: str, upload: dict[str, str]) -> None:  # noqa: ANN401 - as above
    or_none(
        lambda: s3.abort_multipart_upload(
            Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
        )
    )
