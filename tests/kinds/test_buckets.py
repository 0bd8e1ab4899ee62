"""Buckets: emptied of everything before they go, and owned by name where tags came too late."""

from __future__ import annotations

import dataclasses
import threading
import uuid

import pytest

from labctl.errors import Interrupted, OwnershipError
from labctl.kinds.base import TAG_SESSION, Context
from labctl.kinds.registry import kind
from labctl.kinds.s3_emptying import empty_bucket
from tests.contract.bench import Bench, bench
from tests.contract.endpoints import Endpoint, endpoint
from tests.contract.kind_cases import model

__all__ = ["Endpoint", "bench", "endpoint"]

BUCKET = kind("s3.bucket")
WANT = model("s3.bucket", versioning=True)


def test_versions_markers_and_unfinished_uploads_go_with_the_bucket(bench: Bench) -> None:
    bucket = bench.make("thing", WANT)
    s3 = bench.endpoint.client("s3")
    for number in range(40):
        s3.put_object(Bucket=bucket.id, Key=f"key/{number % 7}", Body=b"x")
    s3.delete_object(Bucket=bucket.id, Key="key/1")
    upload = s3.create_multipart_upload(Bucket=bucket.id, Key="big")
    s3.upload_part(
        Bucket=bucket.id, Key="big", UploadId=upload["UploadId"], PartNumber=1, Body=b"part"
    )
    said: list[str] = []
    empty_bucket(s3, bucket.id, cancelled=bench.cancelled, progress=said.append)
    assert said == ["41 object versions deleted"]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket.id)
    assert "Versions" not in s3.list_object_versions(Bucket=bucket.id)
    bench.delete("thing", WANT, bucket)
    assert bench.find("thing", WANT) is None
    assert said[-1] == "41 object versions deleted"


def test_more_than_a_page_of_versions_goes_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labctl.kinds.s3_emptying._PAGE", 10)
    bucket = bench.make("thing", WANT)
    s3 = bench.endpoint.client("s3")
    for number in range(33):
        s3.put_object(Bucket=bucket.id, Key=f"{number % 2}", Body=b"")
    for number in range(12):
        s3.create_multipart_upload(Bucket=bucket.id, Key=f"big{number}")
    bench.delete("thing", WANT, bucket)
    assert bench.find("thing", WANT) is None


def test_emptying_can_be_stopped_and_goes_on_later(bench: Bench) -> None:
    bucket = bench.make("thing", WANT)
    bench.endpoint.client("s3").put_object(Bucket=bucket.id, Key="one", Body=b"")
    stopped = threading.Event()
    stopped.set()
    context = dataclasses.replace(bench.context("thing", WANT), cancelled=stopped)
    with pytest.raises(Interrupted):
        BUCKET.delete(context, bucket)
    assert bench.find("thing", WANT) is not None
    bench.delete("thing", WANT, bucket)
    assert bench.find("thing", WANT) is None


def untagged(bench: Bench, name: str) -> Context:
    bench.endpoint.client("s3").create_bucket(Bucket=name)
    return bench.context("thing", WANT, name=name)


def test_an_untagged_bucket_whose_name_holds_the_session_is_ours(bench: Bench) -> None:
    untagged(bench, bench.context("thing", WANT).name)
    assert "" in bench.listed(WANT)
    bucket = bench.make("thing", WANT)  # finishes what a crash left: tags, versions, the block
    assert bench.changes("thing", WANT, bucket) == []
    assert bench.listed(WANT) == ["thing"]


def test_an_untagged_bucket_of_a_plain_name_is_ours_only_if_the_ledger_says_so(
    bench: Bench,
) -> None:
    context = untagged(bench, f"archive-{uuid.uuid4().hex[:8]}")
    with pytest.raises(OwnershipError):
        BUCKET.find(context, WANT)
    proven = dataclasses.replace(context, adopt_untagged=True)
    bench.standing["thing"] = BUCKET.create(proven, WANT)
    assert bench.standing["thing"].tags[TAG_SESSION] == bench.session


def test_another_sessions_untagged_bucket_is_not_listed(bench: Bench) -> None:
    name = f"labctl-contract-x{bench.session}-thing"
    bench.endpoint.client("s3").create_bucket(Bucket=name)
    assert bench.listed(WANT) == []
    assert name not in {each.id for each in BUCKET.list_tagged(bench.endpoint.target, {})}
    bench.endpoint.client("s3").delete_bucket(Bucket=name)
