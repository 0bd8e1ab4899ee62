"""Kind `s3.bucket`: a bucket, closed to the public unless the lab is about that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal

from pydantic import Field

from labctl.kinds.base import TAG_RESOURCE, TAG_SESSION, Actual, Change, Context, Kind
from labctl.kinds.ownership import all_tags, bears, must_be_ours, tag_list, tag_map
from labctl.kinds.s3_emptying import empty_bucket
from labctl.kinds.waiting import wait_for
from labctl.spec.fields import ResourceModel
from labctl.targets.base import Target
from labctl.targets.failures import or_none

_LOOKS_AT_ONCE = 16
_HOME_REGION = "us-east-1"  # the one region that may not be named when a bucket is created
# What stands for the tags of a bucket that may not be looked at: names are shared by the world.
_NOT_OURS = {"owner": "somebody else"}
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


class BucketModel(ResourceModel):
    """A bucket, as a lab file describes it."""

    kind: Literal["s3.bucket"] = "s3.bucket"
    versioning: Annotated[bool, Field(description="Keep every version of an object.")] = False
    public: Annotated[
        bool, Field(description="Lift the block on public access; what is public is up to you.")
    ] = False


class S3Bucket(Kind[BucketModel]):
    """Buckets. The name is the key: it is unique to the session, and tags follow at once."""

    name = "s3.bucket"
    model = BucketModel
    outputs = ("name", "arn")
    actions = (
        "s3:AbortMultipartUpload",
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:ListAllMyBuckets",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:TagResource",
    )
    teardown_rank = 32

    def physical_name(self, name: str, want: BucketModel) -> str:
        """Return the name in the letters that a bucket's name may have."""
        legal = name.lower().replace("_", "-").replace(".", "-")[:63].strip("-")
        return legal if len(legal) >= 3 else f"{legal}-bucket"

    def find(self, context: Context, want: BucketModel) -> Actual | None:
        """Return the bucket of this name, if it is ours."""
        s3 = context.target.client("s3")
        tags = _tags_of(s3, context.name)
        if tags is None:
            return None
        self._must_be_ours(context, context.name, tags)
        return or_none(lambda: _read(s3, context.name, tags))

    def create(self, context: Context, want: BucketModel) -> Actual:
        """Create the bucket with its tags, or finish one that an earlier try left."""
        s3 = context.target.client("s3")
        if self.find(context, want) is None:
            settings: dict[str, Any] = {"Tags": tag_list(all_tags(context))}
            if context.target.region != _HOME_REGION:
                settings["LocationConstraint"] = context.target.region
            s3.create_bucket(Bucket=context.name, CreateBucketConfiguration=settings)
        actual = wait_for(
            lambda: or_none(lambda: _read(s3, context.name, _tags_of(s3, context.name) or {})),
            f"bucket {context.name} can be used",
            cancelled=context.cancelled,
        )
        changes = self.changes(context, want, actual)
        return self.update(context, want, actual, changes) if changes else actual

    def changes(self, context: Context, want: BucketModel, actual: Actual) -> list[Change]:
        """Return whether versioning or the block on public access differ, or tags are missing."""
        have, found = actual.attributes, []
        if TAG_SESSION not in actual.tags:  # not every endpoint tags what it creates
            found.append(Change("tags", "none", "those of the session"))
        if have["versioning"] != want.versioning:
            found.append(Change("versioning", _on(have["versioning"]), _on(want.versioning)))
        if have["public"] != want.public:
            found.append(Change("public access", _open(have["public"]), _open(want.public)))
        return found

    def update(
        self, context: Context, want: BucketModel, actual: Actual, changes: Sequence[Change]
    ) -> Actual:
        """Set what differs."""
        s3, bucket = context.target.client("s3"), actual.id
        for change in changes:
            if change.field == "versioning":
                status = "Enabled" if want.versioning else "Suspended"
                s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
            elif change.field == "public access":
                s3.put_public_access_block(
                    Bucket=bucket,
                    PublicAccessBlockConfiguration=dict.fromkeys(_BLOCKS, not want.public),
                )
            else:
                s3.put_bucket_tagging(
                    Bucket=bucket, Tagging={"TagSet": tag_list(all_tags(context))}
                )
        return _read(s3, bucket, _tags_of(s3, bucket) or {})

    def delete(self, context: Context, actual: Actual) -> None:
        """Empty the bucket of versions, markers and unfinished uploads, and delete it."""
        s3 = context.target.client("s3")
        tags = _tags_of(s3, actual.id)
        if tags is None:
            return
        self._must_be_ours(context, actual.id, tags)
        empty_bucket(s3, actual.id, cancelled=context.cancelled, progress=context.progress)
        or_none(lambda: s3.delete_bucket(Bucket=actual.id))
        wait_for(
            lambda: True if _tags_of(s3, actual.id) is None else None,
            f"bucket {actual.id} is gone",
            cancelled=context.cancelled,
            deadline_s=120,
        )

    def list_tagged(self, target: Target, tags: Mapping[str, str]) -> list[Actual]:
        """Return our buckets: by tags, and an untagged one by a name that only we can give."""
        s3 = target.client("s3")
        names = [bucket["Name"] for bucket in s3.list_buckets().get("Buckets", [])]
        with ThreadPoolExecutor(_LOOKS_AT_ONCE, thread_name_prefix="buckets") as pool:
            tagged = zip(names, pool.map(lambda name: _tags_of(s3, name), names), strict=True)
        return [
            Actual(self.name, name, name, {"name": name, "arn": _arn(name)}, borne)
            for name, borne in tagged
            if borne is not None and (bears(borne, tags) or _named_by(name, borne, tags))
        ]

    def retag(self, context: Context, actual: Actual) -> None:
        """Set the tags; the call replaces all of them, so those of others are sent along."""
        s3 = context.target.client("s3")
        tags = _tags_of(s3, actual.id)
        if tags is None:
            return
        self._must_be_ours(context, actual.id, tags)
        merged = tag_list({**tags, **all_tags(context)})
        or_none(lambda: s3.put_bucket_tagging(Bucket=actual.id, Tagging={"TagSet": merged}))

    def _must_be_ours(self, context: Context, name: str, tags: Mapping[str, str]) -> None:
        own_name = _named_by(name, tags, {TAG_SESSION: context.session})
        if not tags and (context.adopt_untagged or own_name):
            return
        must_be_ours(context, f"bucket {name}", tags)


def _named_by(name: str, borne: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    """Whether a bucket without tags has a name that holds the session: nobody else gives such."""
    session = tags.get(TAG_SESSION)
    if borne or not session or TAG_RESOURCE in tags:
        return False
    return name.startswith("labctl-") and f"-{session}-".lower() in name


def _tags_of(s3: Any, bucket: str) -> dict[str, str] | None:  # noqa: ANN401 - boto3's client
    """Return a bucket's tags, none included; None when there is no such bucket."""
    try:
        return tag_map(s3.get_bucket_tagging(Bucket=bucket)["TagSet"])
    except s3.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchTagSet":
            return {}
        if code in ("NoSuchBucket", "404"):
            return None
        if code in ("AccessDenied", "403", "PermanentRedirect", "AuthorizationHeaderMalformed"):
            return dict(_NOT_OURS)
        raise


def _read(s3: Any, bucket: str, tags: Mapping[str, str]) -> Actual:  # noqa: ANN401 - as above
    versioning = s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled"
    return Actual(
        S3Bucket.name,
        bucket,
        bucket,
        {
            "name": bucket,
            "arn": _arn(bucket),
            "versioning": versioning,
            "public": not _is_blocked(s3, bucket),
        },
        tags,
    )


def _is_blocked(s3: Any, bucket: str) -> bool:  # noqa: ANN401 - as above
    try:
        answer = s3.get_public_access_block(Bucket=bucket)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchPublicAccessBlockConfiguration":
            return False
        raise
    block = answer["PublicAccessBlockConfiguration"]
    return all(block.get(each) for each in _BLOCKS)


def _arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


def _on(value: bool) -> str:
    return "on" if value else "off"


def _open(value: bool) -> str:
    return "allowed" if value else "blocked"
