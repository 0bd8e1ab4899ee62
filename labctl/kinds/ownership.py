"""Whose is it: what tells a session's own things from look-alikes that only bear their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from labctl.errors import OwnershipError
from labctl.kinds.base import TAG_LAB, TAG_RESOURCE, TAG_SESSION, Context
from labctl.targets.failures import or_none
from labctl.text import one_line


def all_tags(context: Context) -> dict[str, str]:
    """Return the tags that everything created for a resource bears."""
    return {
        **context.tags,
        TAG_LAB: context.lab,
        TAG_SESSION: context.session,
        TAG_RESOURCE: context.resource,
    }


def bears(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Return whether tags are labctl's at all and hold everything wanted."""
    return TAG_SESSION in tags and all(tags.get(key) == value for key, value in wanted.items())


def must_be_ours(context: Context, what: str, tags: Mapping[str, str]) -> None:
    """Raise `OwnershipError` unless the tags of a thing are those of this session's resource.

    `what` names the thing, such as "queue requestQueue".
    """
    session = tags.get(TAG_SESSION)
    resource = tags.get(TAG_RESOURCE, context.resource)
    if session == context.session and resource == context.resource:
        return
    ours = f"resource '{context.resource}' of session {context.session}"
    if session is None:
        raise OwnershipError(
            f"{what} is there already and labctl did not create it: it is not {ours}",
            "labctl leaves it alone; rename or delete it, or run without --plain-names",
        )
    lab = one_line(tags.get(TAG_LAB, "?"), limit=60)
    theirs = f"resource '{one_line(resource, limit=60)}' of session {one_line(session, limit=60)}"
    raise OwnershipError(
        f"{what} belongs to {theirs} (lab {lab}), not to {ours}",
        f"`labctl down {lab}` removes it, if it is yours",
    )


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in the form that most services take: a list of Key and Value."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def tag_map(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return a service's list of Key and Value as a mapping."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}


def tag_filters(tags: Mapping[str, str]) -> list[dict[str, object]]:
    """Return EC2 filters for things that are labctl's and bear these tags."""
    filters: list[dict[str, object]] = [{"Name": "tag-key", "Values": [TAG_SESSION]}]
    return filters + [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def retag_ec2(context: Context, ids: Sequence[str]) -> None:
    """Set the session's tags anew on things of EC2, each by itself: one of them may be gone."""
    ec2, tags = context.target.client("ec2"), tag_list(all_tags(context))
    for number in ids:
        or_none(partial(ec2.create_tags, Resources=[number], Tags=tags))


def ec2_tags(tags: Mapping[str, str], *kinds: str) -> Sequence[dict[str, object]]:
    """Return EC2's TagSpecifications, which tag what a call creates in the same call."""
    return [{"ResourceType": kind, "Tags": tag_list(tags)} for kind in kinds]
