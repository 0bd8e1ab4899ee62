"""The bucket of pictures: fetches the unprocessed to a file and stores the processed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from images_worker.names import PictureName
from images_worker.refusals import Refused
from job_runtime.cloud import Cloud

UNPROCESSED = "images/unprocessed/"
PROCESSED = "images/processed/"
MOST_BYTES = 20 * 2**20
_CHUNK_BYTES = 256 * 1024
_IN_ONE_PIECE_BYTES = 2**20
_MISSING = {"404", "NoSuchKey"}
_TOO_LARGE = f"the picture has more than {MOST_BYTES // 2**20} MiB"


class Gallery:
    """Pictures by name; passing troubles of the store are waited out, half transfers repeated."""

    def __init__(self, cloud: Cloud, bucket: str) -> None:
        self._cloud = cloud
        self._bucket = bucket

    def fetch(self, name: PictureName, target: Path) -> None:
        """Write an unprocessed picture to a file; raises `Refused`: missing or too many bytes."""
        self._cloud.patiently(lambda: self._fetch_once(name, target))

    def store(self, source: Path, name: PictureName) -> None:
        """Keep a file as a processed picture; it is there when this returns."""
        self._cloud.patiently(lambda: self._store_once(source, name))

    def _fetch_once(self, name: PictureName, target: Path) -> None:
        place = {"Bucket": self._bucket, "Key": UNPROCESSED + name.text}
        try:
            answer = self._cloud.once("s3", "get_object", place)
        except ClientError as error:
            if error.response["Error"].get("Code") in _MISSING:
                raise Refused("there is no picture of this name") from error
            raise
        body: Any = answer["Body"]
        try:
            if answer["ContentLength"] > MOST_BYTES:
                raise Refused(_TOO_LARGE)
            with target.open("wb") as file:
                # The end that is reported is not taken on trust.
                while chunk := body.read(_CHUNK_BYTES):
                    file.write(chunk)
                    if file.tell() > MOST_BYTES:
                        raise Refused(_TOO_LARGE)
        finally:
            body.close()

    def _store_once(self, source: Path, name: PictureName) -> None:
        place = {
            "Bucket": self._bucket,
            "Key": PROCESSED + name.text,
            "ContentType": name.content_type,
        }
        with source.open("rb") as file:
            # A file costs a second round trip, for leave to send it; a small one is sent at once.
            small = source.stat().st_size <= _IN_ONE_PIECE_BYTES
            body = file.read() if small else file
            self._cloud.once("s3", "put_object", {**place, "Body": body})
