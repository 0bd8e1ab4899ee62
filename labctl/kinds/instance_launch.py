"""Launches the missing members of a role: one call for all, and the same call after a crash."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.errors import TargetError
from labctl.kinds.base import TAG_EXPIRES, Context
from labctl.kinds.instance_members import TAG_LAUNCH, Members, role_members
from labctl.kinds.ownership import all_tags, ec2_tags
from labctl.kinds.waiting import wait_for
from labctl.paths import write_private
from labctl.targets.failures import code_of
from labctl.transport.host_keys import KeyPair, new_host_key
from labctl.transport.user_data import user_data

if TYPE_CHECKING:
    from labctl.kinds.ec2_instance import InstanceModel

TAG_IMAGE = "labctl:image"  # the alias: what it stands for moves on with every release
TAG_DISK = "labctl:disk"
TAG_KEY = "labctl:key"  # the key's fingerprint: a name can be given to another key
VOLUME_TYPE = "gp3"
# What was launched may stay invisible for as long as this.
SETTLE_S = 90.0
_TRIES = 5  # of client tokens: each one may belong to instances that have ended since


def launch_missing(context: Context, want: InstanceModel, members: Members) -> list[str]:
    """Launch what the role lacks, in one call for each unbroken run of indexes; return the ids."""
    return [
        instance_id
        for first, size in _runs(members.missing(want.count))
        for instance_id in _launch(context, want, members=members, first=first, size=size)
    ]


def settled_members(context: Context) -> Members:
    """Return the members once every launch that is seen in part is seen whole, or is old."""

    def settled() -> Members | None:
        members = role_members(context.target, session=context.session, resource=context.resource)
        return None if members.unseen_launch(now=time.time(), settle_s=SETTLE_S) else members

    return wait_for(
        settled,
        f"{context.resource}: all launched instances are visible",
        cancelled=context.cancelled,
        deadline_s=SETTLE_S + 30,
    )


def _runs(indexes: Sequence[int]) -> list[tuple[int, int]]:
    """Return the unbroken runs in ascending indexes, each by its first index and its size."""
    runs: list[tuple[int, int]] = []
    for index in indexes:
        if runs and index == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((index, 1))
    return runs


def _launch(
    context: Context, want: InstanceModel, *, members: Members, first: int, size: int
) -> list[str]:
    request = _request(context, want, size=size)
    for attempt in range(_TRIES):
        token = _client_token(context, members=members, first=first, attempt=attempt)
        launch = f"{first}+{size} {token[-8:]}"
        tags = _tags(context, want, launch=launch)
        request |= {"ClientToken": token, "TagSpecifications": tags}
        answer = _run_instances(context, request, launch=launch)
        states = [instance["State"]["Name"] for instance in answer["Instances"]]
        # A token that was used before gives the instances of that time, though they have ended.
        if not any(state in ("terminated", "shutting-down") for state in states):
            return [str(instance["InstanceId"]) for instance in answer["Instances"]]
    raise TargetError(
        f"{context.resource}: every launch gives instances that have ended",
        "see the state reason of the instances in the console",
    )


@contextmanager
def within_limits(context: Context, types: Sequence[str], *, launch: str = "") -> Iterator[None]:
    """Let instances of these types be started inside; `LimitError` when the account has no room."""
    if context.headroom is None:
        yield
        return
    with context.headroom.room_for(types, who=context.resource, launch=launch):
        yield


def _run_instances(context: Context, request: dict[str, Any], *, launch: str) -> Any:  # noqa: ANN401 - boto3's answer
    ec2 = context.target.client("ec2")
    types = [request["InstanceType"]] * request["MaxCount"]

    def launched() -> Any:  # noqa: ANN401 - as above
        try:
            with within_limits(context, types, launch=launch):
                return ec2.run_instances(**request)
        except ec2.exceptions.ClientError as error:
            # A new instance profile takes some seconds to reach EC2.
            text = str(error).lower()
            if code_of(error).startswith("InvalidParameter") and "instance profile" in text:
                context.progress("EC2 does not know the instance profile yet")
                return None
            if code_of(error) == "IdempotentParameterMismatch":
                raise TargetError(
                    f"{context.resource}: an earlier launch with other settings is under way",
                    "run the command again in a minute: its instances are visible by then",
                ) from error
            raise

    return wait_for(
        launched, f"{context.resource}: launch", cancelled=context.cancelled, deadline_s=90
    )


def _client_token(context: Context, *, members: Members, first: int, attempt: int) -> str:
    """Return the same token for the same need: a crash and its retry launch once.

    The ended instances are part of it, so that a member that ended is launched anew; the end of
    the session, too, for the launch says it, and EC2 refuses a token with another request.
    """
    ended = sorted(str(instance["InstanceId"]) for instance in members.dead)
    expires = context.tags.get(TAG_EXPIRES)
    need = [context.session, context.resource, context.generation, first, ended, attempt, expires]
    return "labctl-" + hashlib.sha256(json.dumps(need).encode()).hexdigest()[:40]


def _tags(context: Context, want: InstanceModel, *, launch: str) -> Sequence[dict[str, object]]:
    tags = all_tags(context)
    of_instance = {
        **tags,
        "Name": context.name,
        TAG_LAUNCH: launch,
        TAG_IMAGE: want.image,
        TAG_DISK: str(want.disk_gib),
        TAG_KEY: context.neighbours[want.key].attributes["fingerprint"],
    }
    return [*ec2_tags(of_instance, "instance"), *ec2_tags(tags, "volume")]


def _request(context: Context, want: InstanceModel, *, size: int) -> dict[str, Any]:
    image_id, _ = context.target.image(want.image)
    groups, profile = group_ids(context, want), profile_name(context, want)
    return {
        "ImageId": image_id,
        "InstanceType": want.type,
        "MinCount": size,
        "MaxCount": size,
        "KeyName": context.neighbours[want.key].attributes["name"],
        "UserData": _user_data(context),
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "BlockDeviceMappings": [_disk(context, image_id, gib=want.disk_gib)],
        **({"SecurityGroupIds": groups} if groups else {}),
        **({"IamInstanceProfile": {"Name": profile}} if profile else {}),
    }


def _disk(context: Context, image_id: str, *, gib: int) -> dict[str, Any]:
    images = context.target.client("ec2").describe_images(ImageIds=[image_id])["Images"]
    root = images[0].get("RootDeviceName") if images else None
    return {
        "DeviceName": root or "/dev/sda1",
        "Ebs": {"VolumeSize": gib, "VolumeType": VOLUME_TYPE, "DeleteOnTermination": True},
    }


def group_ids(context: Context, want: InstanceModel) -> list[str]:
    """Return the ids of the security groups that the members belong in."""
    return [context.neighbours[name].id for name in want.group_names(context.resource)]


def profile_name(context: Context, want: InstanceModel) -> str:
    """Return the name of the instance profile: the lab's own, or one that exists; "" for none."""
    if not want.profile:
        return ""
    made = context.neighbours.get(want.profile)
    if made is not None and made.kind == "iam.instance_profile":
        return str(made.attributes["name"])
    return want.profile


def _user_data(context: Context) -> str:
    expires = context.tags.get(TAG_EXPIRES)
    # The key is kept before it is used: the retry after a crash has to send the same text.
    key = host_key(context) or _new_host_key(host_key_file(context))
    return user_data(key, ends_at=float(expires) if expires else None)


def host_key_file(context: Context) -> Path:
    """Return where the host key is kept that the machines of a role are launched with."""
    return context.keys_folder / f"{context.resource.replace('/', '_')}.host-key.json"


def host_key(context: Context) -> KeyPair | None:
    """Return the host key that a role is launched with; None when there is none (any more)."""
    try:
        kept = json.loads(host_key_file(context).read_text(encoding="utf-8"))
        return KeyPair(private=kept["private"], public=kept["public"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _new_host_key(path: Path) -> KeyPair:
    key = new_host_key()
    write_private(path, json.dumps(key._asdict()))
    return key
