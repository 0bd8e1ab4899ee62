"""Kind `ec2.key_pair`: an SSH key that is made here and only its public half sent out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from labctl.kinds.base import Actual, Change, Context, Kind
from labctl.kinds.ownership import (
    all_tags,
    ec2_tags,
    must_be_ours,
    retag_ec2,
    tag_filters,
    tag_list,
    tag_map,
)
from labctl.spec.fields import ResourceModel
from labctl.targets.base import Target
from labctl.targets.failures import or_none
from labctl.transport.host_keys import new_client_key

# The service's own fingerprint differs between services; this one is ours, over the public key.
TAG_FINGERPRINT = "labctl:fingerprint"


class KeyPairModel(ResourceModel):
    """A key pair; there is nothing to choose."""

    kind: Literal["ec2.key_pair"] = "ec2.key_pair"


class Ec2KeyPair(Kind[KeyPairModel]):
    """Key pairs. Found by name; the private key stays in the session's folder, 0600."""

    name = "ec2.key_pair"
    model = KeyPairModel
    outputs = ("name", "id")
    actions = (
        "ec2:CreateTags",
        "ec2:DeleteKeyPair",
        "ec2:DescribeKeyPairs",
        "ec2:ImportKeyPair",
    )
    teardown_rank = 60

    def find(self, context: Context, want: KeyPairModel) -> Actual | None:
        """Return the key pair of this name, if it is ours."""
        actual = self._read(context, context.name)
        if actual is not None:
            must_be_ours(context, f"key pair {context.name}", actual.tags)
        return actual

    def create(self, context: Context, want: KeyPairModel) -> Actual:
        """Make the key, keep it, then import its public half."""
        standing = self.find(context, want)
        if standing is not None:
            return standing
        path = key_file(context, context.name)
        # A key that is there already was made by a try that died before it was imported.
        public = _public_key(path) or new_client_key(path)
        tags = {**all_tags(context), TAG_FINGERPRINT: _fingerprint(public)}
        answer = context.target.client("ec2").import_key_pair(
            KeyName=context.name,
            PublicKeyMaterial=public.encode(),
            TagSpecifications=ec2_tags(tags, "key-pair"),
        )
        return self._actual(context, {**answer, "Tags": tag_list(tags)})

    def changes(self, context: Context, want: KeyPairModel, actual: Actual) -> list[Change]:
        """Return whether the private key here still belongs to the key pair there."""
        public = _public_key(key_file(context, actual.name))
        have = "lost" if public is None else _fingerprint(public)
        if have == actual.attributes["fingerprint"]:
            return []
        return [Change("private key", have, actual.attributes["fingerprint"], "replace")]

    def delete(self, context: Context, actual: Actual) -> None:
        """Delete the key pair, then the private key here."""
        standing = self._read(context, actual.name)
        if standing is not None:
            must_be_ours(context, f"key pair {actual.name}", standing.tags)
            context.target.client("ec2").delete_key_pair(KeyName=actual.name)
        key_file(context, actual.name).unlink(missing_ok=True)

    def list_tagged(self, target: Target, tags: Mapping[str, str]) -> list[Actual]:
        """Return the key pairs with these tags."""
        answer = target.client("ec2").describe_key_pairs(Filters=tag_filters(tags))
        return [
            Actual(self.name, pair["KeyName"], pair["KeyName"], {}, tag_map(pair.get("Tags")))
            for pair in answer["KeyPairs"]
        ]

    def retag(self, context: Context, actual: Actual) -> None:
        """Set the tags; EC2 keeps those that are not named."""
        standing = self._read(context, actual.name)
        if standing is not None:
            retag_ec2(context, [standing.attributes["id"]])

    def _read(self, context: Context, name: str) -> Actual | None:
        ec2 = context.target.client("ec2")
        answer = or_none(lambda: ec2.describe_key_pairs(KeyNames=[name]))
        pairs = answer["KeyPairs"] if answer else []
        return self._actual(context, pairs[0]) if pairs else None

    def _actual(self, context: Context, pair: Mapping[str, Any]) -> Actual:
        name, tags = pair["KeyName"], tag_map(pair.get("Tags"))
        return Actual(
            self.name,
            name,
            name,
            {
                "name": name,
                "id": pair["KeyPairId"],
                "fingerprint": tags.get(TAG_FINGERPRINT, "unknown"),
                "key_file": str(key_file(context, name)),
            },
            tags,
        )


def key_file(context: Context, name: str) -> Path:
    """Return where the private key of a key pair is kept."""
    # The name of a key pair that was only found by its tags may hold anything.
    return context.keys_folder / f"{name.replace('/', '_')}.pem"


def _public_key(path: Path) -> str | None:
    """Return the public line of a private key; None when there is no readable one."""
    from cryptography.hazmat.primitives import serialization

    try:
        private = serialization.load_ssh_private_key(path.read_bytes(), None)
    except (FileNotFoundError, ValueError):
        return None
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
    )


def _fingerprint(public: str) -> str:
    """Return the fingerprint of a public key as `ssh-keygen -l` shows it."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
