"""The dated log of requests: one object that several workers append to without losing a line.

Lines wait on the local disk and are appended about once a second by a conditional write, which
the store refuses when another worker wrote in between. A worker that is killed between that write
and the removal of its local batch finds its lines in the object and does not append them again.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import ClientError

from job_runtime.cloud import Cloud, NotYet
from job_runtime.log_lines import say
from job_runtime.spool import Spool

LOG_KEY = "log.txt"
_ROTATE_BYTES = 2**20
_EVERY_S = 1.0
_AFTER_REFUSAL_S = 30.0
_MISSING = {"404", "NoSuchKey"}
_CHANGED = {"412", "PreconditionFailed", "ConditionalRequestConflict", "409", *_MISSING}


class DatedLog:
    """Appends lines to `log.txt`; beyond 1 MiB its content moves to `log-<UTC time>.txt`."""

    def __init__(self, cloud: Cloud, bucket: str, folder: Path) -> None:
        self._cloud = cloud
        self._bucket = bucket
        self._spool = Spool(folder)
        self._shipping = threading.Lock()
        # What we wrote last; while nobody else writes, it need not be read again.
        self._text = b""
        self._etag: str | None = None

    def append(self, lines: Iterable[str]) -> None:
        """Keep lines on disk until they are in the object."""
        self._spool.append(lines)

    def ship_until(self, end: threading.Event) -> None:
        """Append what waits about every second, until `end`."""
        while not end.wait(_EVERY_S * random.uniform(0.8, 1.2)):
            try:
                self.ship()
            except ClientError as error:
                # Jobs matter more than their log: what waits on the disk is tried again later.
                say("log_refused", error=str(error.response["Error"].get("Code"))[:80])
                end.wait(_AFTER_REFUSAL_S)

    def ship(self) -> None:
        """Append everything that waits to the object."""
        with self._shipping:
            batches = self._spool.batches()
            if not batches:
                return
            contents = [batch.read_bytes() for batch in batches]
            self._cloud.patiently(lambda: self._append(contents))
            for batch in batches:
                batch.unlink()

    def _append(self, contents: list[bytes]) -> None:
        if self._etag is None:
            self._read()
        fresh = b"".join(content for content in contents if content not in self._text)
        if not fresh:
            return
        rotated = bool(self._text) and len(self._text) + len(fresh) > _ROTATE_BYTES
        try:
            self._write(fresh, rotated=rotated)
        except ClientError as error:
            self._etag = None
            if error.response["Error"].get("Code") in _CHANGED:
                raise NotYet from error
            raise

    def _write(self, fresh: bytes, *, rotated: bool) -> None:
        old_key = f"log-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S.%fZ')}.txt"
        if rotated:
            self._put(old_key, self._text, {"IfNoneMatch": "*"})
        text = fresh if rotated else self._text + fresh
        try:
            condition = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
            self._etag = self._put(LOG_KEY, text, condition)
        except ClientError:
            if rotated:  # another worker wrote first; its content is the one to move
                self._cloud.call("s3", "delete_object", {"Bucket": self._bucket, "Key": old_key})
            raise
        self._text = text

    def _read(self) -> None:
        place = {"Bucket": self._bucket, "Key": LOG_KEY}
        try:
            answer = self._cloud.call("s3", "get_object", place)
        except ClientError as error:
            if error.response["Error"].get("Code") not in _MISSING:
                raise
            self._text, self._etag = b"", None
        else:
            self._text, self._etag = answer["Body"].read(), answer["ETag"]

    def _put(self, key: str, text: bytes, condition: dict[str, str]) -> str:
        place = {"Bucket": self._bucket, "Key": key, "ContentType": "text/plain; charset=utf-8"}
        answer = self._cloud.call("s3", "put_object", {**place, **condition, "Body": text})
        return str(answer["ETag"])
