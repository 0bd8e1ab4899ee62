"""Kind `iam.instance_profile`: what the programs on machines may do, without keys on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from labctl.errors import TargetError
from labctl.kinds.base import TAG_RESOURCE, TAG_SESSION, Actual, Change, Context, Kind
from labctl.kinds.ownership import all_tags, bears, must_be_ours, tag_list, tag_map
from labctl.spec.fields import ResourceModel, ResourceName
from labctl.targets.base import Target
from labctl.targets.failures import or_none

IAM_PATH = "/labctl/"  # lists only ours, and policies can name it
_POLICY_NAME = "labctl"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
_IamAction = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+:[A-Za-z]*\*?$")]
_GrantedResource = Annotated[str, ResourceName(("sqs.queue", "s3.bucket", "dynamodb.table"))]


class InstanceProfileModel(ResourceModel):
    """An instance profile that exists, or one made for the lab."""

    kind: Literal["iam.instance_profile"] = "iam.instance_profile"
    existing: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9+=,.@_-]{1,128}$",
            description="The name of one that is there already, such as LabInstanceProfile.",
        ),
    ] = None
    allow: Annotated[
        list[_IamAction], Field(description="Actions to allow, such as sqs:ReceiveMessage.")
    ] = []
    resources: Annotated[
        list[_GrantedResource], Field(description="On which resources of this lab.")
    ] = []

    @model_validator(mode="after")
    def _existing_or_made(self) -> InstanceProfileModel:
        if self.existing and (self.allow or self.resources):
            raise ValueError("say either existing, or allow and resources")
        if not self.existing and not (self.allow and self.resources):
            raise ValueError("say existing: NAME, or what to allow on which resources")
        return self


class IamInstanceProfile(Kind[InstanceProfileModel]):
    """Instance profiles, each with a role of the same name. An existing one is only looked at."""

    name = "iam.instance_profile"
    model = InstanceProfileModel
    outputs = ("name", "arn")
    actions = (
        "iam:AddRoleToInstanceProfile",
        "iam:CreateInstanceProfile",
        "iam:CreateRole",
        "iam:DeleteInstanceProfile",
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:GetInstanceProfile",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfiles",
        "iam:ListRolePolicies",
        "iam:ListRoles",
        "iam:PutRolePolicy",
        "iam:RemoveRoleFromInstanceProfile",
        "iam:TagInstanceProfile",
        "iam:TagRole",
    )
    teardown_rank = 55

    def physical_name(self, name: str, want: InstanceProfileModel) -> str:
        """Return the name of the existing profile, or one short enough for a role."""
        return want.existing or name[:64]

    def find(self, context: Context, want: InstanceProfileModel) -> Actual | None:
        """Return the profile, if it is ours or is the existing one; half-made ones included."""
        iam = context.target.client("iam")
        if want.existing:
            profile = _profile(iam, want.existing)
            if profile is None:
                return None
            return _actual(want.existing, profile, role=None, policy=None)
        profile, role = _profile(iam, context.name), _role(iam, context.name)
        for what, thing in (("instance profile", profile), ("role", role)):
            if thing is not None:
                must_be_ours(context, f"{what} {context.name}", tag_map(thing.get("Tags")))
        if profile is None and role is None:
            return None
        policy = _policy(iam, context.name) if role else None
        return _actual(context.name, profile, role=role, policy=policy)

    def create(self, context: Context, want: InstanceProfileModel) -> Actual:
        """Make role, policy and profile, or what an earlier try did not get to."""
        standing = self.find(context, want)
        if want.existing:
            if standing is None:
                raise TargetError(
                    f"there is no instance profile {want.existing} in the account",
                    "correct `existing:`, or leave the profile out",
                )
            return standing
        standing = standing or _actual(context.name, None, role=None, policy=None)
        changes = self.changes(context, want, standing)
        return self.update(context, want, standing, changes) if changes else standing

    def changes(self, context: Context, want: InstanceProfileModel, actual: Actual) -> list[Change]:
        """Return which of the parts are missing or differ."""
        if want.existing:
            return []
        have = actual.attributes
        found = [
            Change(part, "missing", "there")
            for part in ("role", "profile", "role in profile")
            if not have[part]
        ]
        policy = _wanted_policy(context, want)
        if have["policy"] != policy:
            found.append(Change("policy", _actions_text(have["policy"]), _actions_text(policy)))
        return found

    def update(
        self,
        context: Context,
        want: InstanceProfileModel,
        actual: Actual,
        changes: Sequence[Change],
    ) -> Actual:
        """Make the missing parts in their order, and set the policy."""
        iam, name = context.target.client("iam"), context.name
        mended = {change.field for change in changes}
        common = {"Path": IAM_PATH, "Tags": tag_list(all_tags(context))}
        if "role" in mended:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST), **common)
        if "policy" in mended:
            policy = json.dumps(_wanted_policy(context, want))
            iam.put_role_policy(RoleName=name, PolicyName=_POLICY_NAME, PolicyDocument=policy)
        if "profile" in mended:
            iam.create_instance_profile(InstanceProfileName=name, **common)
        if "role in profile" in mended:
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        return self.find(context, want) or actual

    def delete(self, context: Context, actual: Actual) -> None:
        """Delete profile and role; one that labctl did not make stays as it is."""
        iam, name = context.target.client("iam"), actual.id
        profile, role = _profile(iam, name), _role(iam, name)
        if profile is not None and _is_ours(context, profile):
            for held in profile["Roles"]:
                _remove_role(iam, profile=name, role=held["RoleName"])
            or_none(lambda: iam.delete_instance_profile(InstanceProfileName=name))
        if role is not None and _is_ours(context, role):
            _delete_role(iam, name)

    def list_tagged(self, target: Target, tags: Mapping[str, str]) -> list[Actual]:
        """Return our profiles and roles; the list calls show no tags, so each is asked."""
        iam = target.client("iam")
        names = {
            entry[f"{thing}Name"]
            for thing, call in (
                ("InstanceProfile", "list_instance_profiles"),
                ("Role", "list_roles"),
            )
            for page in iam.get_paginator(call).paginate(PathPrefix=IAM_PATH)
            for entry in page[f"{thing}s"]
        }
        found = (self._listed(iam, name) for name in sorted(names))
        return [actual for actual in found if bears(actual.tags, tags)]

    def retag(self, context: Context, actual: Actual) -> None:
        """Set the tags of profile and role; one that labctl did not make stays as it is."""
        iam, name, tags = context.target.client("iam"), actual.id, tag_list(all_tags(context))
        profile, role = _profile(iam, name), _role(iam, name)
        if profile is not None and _is_ours(context, profile):
            or_none(lambda: iam.tag_instance_profile(InstanceProfileName=name, Tags=tags))
        if role is not None and _is_ours(context, role):
            or_none(lambda: iam.tag_role(RoleName=name, Tags=tags))

    def _listed(self, iam: Any, name: str) -> Actual:  # noqa: ANN401 - boto3's client
        things = [thing for thing in (_profile(iam, name), _role(iam, name)) if thing]
        tags = tag_map(things[0].get("Tags")) if things else {}
        return Actual(self.name, name, name, {"name": name}, tags)


def _profile(iam: Any, name: str) -> dict[str, Any] | None:  # noqa: ANN401 - as above
    answer = or_none(lambda: iam.get_instance_profile(InstanceProfileName=name))
    return answer["InstanceProfile"] if answer else None


def _role(iam: Any, name: str) -> dict[str, Any] | None:  # noqa: ANN401 - as above
    answer = or_none(lambda: iam.get_role(RoleName=name))
    return answer["Role"] if answer else None


def _policy(iam: Any, role: str) -> dict[str, Any] | None:  # noqa: ANN401 - as above
    answer = or_none(lambda: iam.get_role_policy(RoleName=role, PolicyName=_POLICY_NAME))
    return answer["PolicyDocument"] if answer else None


def _actual(
    name: str,
    profile: Mapping[str, Any] | None,
    *,
    role: Mapping[str, Any] | None,
    policy: Mapping[str, Any] | None,
) -> Actual:
    held = [each["RoleName"] for each in (profile or {}).get("Roles", ())]
    return Actual(
        IamInstanceProfile.name,
        name,
        name,
        {
            "name": name,
            "arn": (profile or {}).get("Arn", ""),
            "profile": profile is not None,
            "role": role is not None,
            "role in profile": name in held,
            "policy": policy,
        },
        tag_map((profile or role or {}).get("Tags")),
    )


def _is_ours(context: Context, thing: Mapping[str, Any]) -> bool:
    tags = tag_map(thing.get("Tags"))
    return tags.get(TAG_SESSION) == context.session and (
        tags.get(TAG_RESOURCE, context.resource) == context.resource
    )


def _remove_role(iam: Any, *, profile: str, role: str) -> None:  # noqa: ANN401 - as above
    or_none(
        lambda: iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role)
    )


def _delete_role(iam: Any, name: str) -> None:  # noqa: ANN401 - as above
    """Delete a role with every policy on it, those that somebody added included."""
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
    or_none(lambda: iam.delete_role(RoleName=name))


def _wanted_policy(context: Context, want: InstanceProfileModel) -> dict[str, Any]:
    arns = [context.neighbours[name].attributes["arn"] for name in want.resources]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": sorted(set(want.allow)),
                "Resource": sorted({each for arn in arns for each in _with_parts(arn)}),
            }
        ],
    }


def _with_parts(arn: str) -> list[str]:
    """Return an ARN and those of what lies inside: a bucket's objects, a table's indexes."""
    if arn.startswith("arn:aws:s3:::"):
        return [arn, f"{arn}/*"]
    return [arn, f"{arn}/index/*"] if ":dynamodb:" in arn else [arn]


def _actions_text(policy: Mapping[str, Any] | None) -> str:
    if not policy:
        return "none"
    statements = policy.get("Statement", [])
    actions = [statement.get("Action") for statement in statements]
    return f"{json.dumps(actions)} on {json.dumps([each.get('Resource') for each in statements])}"
