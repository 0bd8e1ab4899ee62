"""Key pairs: the emulator hands out a stub for a private key, forgets public keys and tags,
and lists every key pair whatever the filters say."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from xml.sax.saxutils import escape

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from labctl.cloud.patches.answers import Answer, Params, refused, shown
from labctl.cloud.patches.fleet import Fleet

_OPENSSH, _PEM = serialization.Encoding.OpenSSH, serialization.Encoding.PEM


def mend(ec2: Any, ssm: Any, fleet: Fleet) -> None:  # noqa: ANN401 - the emulator ships no types
    """Replace the key pair actions."""
    pairs = KeyPairs(ec2)
    ec2._ACTION_MAP["CreateKeyPair"] = pairs.create
    ec2._ACTION_MAP["ImportKeyPair"] = pairs.take_in
    ec2._ACTION_MAP["DescribeKeyPairs"] = pairs.describe
    ec2._ACTION_MAP["DeleteKeyPair"] = pairs.delete


class KeyPairs:
    """The key pair actions of EC2 over the emulator's own store."""

    def __init__(self, ec2: Any) -> None:  # noqa: ANN401 - the emulator ships no types
        self._ec2 = ec2

    def create(self, params: Params) -> Answer:
        """Make a real key pair and hand out its private key, once."""
        refusal = self._refusal(params)
        if refusal:
            return refusal
        kind = self._ec2._p(params, "KeyType") or "rsa"
        private: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
        if kind == "ed25519":
            private = ed25519.Ed25519PrivateKey.generate()
            form = serialization.PrivateFormat.OpenSSH
        else:
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            form = serialization.PrivateFormat.TraditionalOpenSSL
        public = private.public_key().public_bytes(_OPENSSH, serialization.PublicFormat.OpenSSH)
        pem = private.private_bytes(_PEM, form, serialization.NoEncryption()).decode()
        der = private.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        fingerprint = (
            _sha256(public.split()[1])
            if kind == "ed25519"
            else _colons(hashlib.sha1(der, usedforsecurity=False).digest())
        )
        record = self._keep(params, kind, public.decode(), fingerprint)
        return self._shown("CreateKeyPairResponse", record, f"<keyMaterial>{pem}</keyMaterial>")

    def take_in(self, params: Params) -> Answer:
        """Import a public key."""
        refusal = self._refusal(params)
        if refusal:
            return refusal
        try:
            line = base64.b64decode(self._ec2._p(params, "PublicKeyMaterial"))
            key = serialization.load_ssh_public_key(line)
        except (ValueError, UnsupportedAlgorithm):
            return self._error("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
        public = key.public_bytes(_OPENSSH, serialization.PublicFormat.OpenSSH)
        if isinstance(key, ed25519.Ed25519PublicKey):
            kind, fingerprint = "ed25519", _sha256(public.split()[1])
        elif isinstance(key, rsa.RSAPublicKey):
            der = key.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            kind, fingerprint = "rsa", _colons(hashlib.md5(der, usedforsecurity=False).digest())
        else:
            return self._error("InvalidKey.Format", "Key is neither RSA nor ED25519")
        record = self._keep(params, kind, public.decode(), fingerprint)
        return self._shown("ImportKeyPairResponse", record, "")

    def describe(self, params: Params) -> Answer:
        """List key pairs by name, id, or filter."""
        ec2 = self._ec2
        names = ec2._parse_member_list(params, "KeyName")
        ids = ec2._parse_member_list(params, "KeyPairId")
        filters = ec2._parse_filters(params)
        pairs = list(ec2._key_pairs.values())
        for name in names:
            if name not in ec2._key_pairs:
                return self._error(
                    "InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist"
                )
        fields = {"key-name": "KeyName", "key-pair-id": "KeyPairId"}
        fields |= {"fingerprint": "KeyFingerprint"}
        for name in filters:
            if name not in fields and not name.startswith("tag"):
                return self._error("InvalidParameterValue", f"The filter '{name}' is invalid")
        found = [
            pair
            for pair in pairs
            if (not names or pair["KeyName"] in names)
            and (not ids or pair["KeyPairId"] in ids)
            and ec2._resource_matches_tag_filters(pair["KeyPairId"], filters)
            and all(
                any(ec2._glob_match(pattern, pair[field]) for pattern in filters[name])
                for name, field in fields.items()
                if name in filters
            )
        ]
        public = ec2._p(params, "IncludePublicKey") == "true"
        items = "".join(f"<item>{self._inner(pair, public=public)}</item>" for pair in found)
        return shown(ec2, "DescribeKeyPairsResponse", f"<keySet>{items}</keySet>")

    def delete(self, params: Params) -> Answer:
        """Delete by name or id; one that does not exist is fine."""
        ec2 = self._ec2
        name, number = ec2._p(params, "KeyName"), ec2._p(params, "KeyPairId")
        for pair in list(ec2._key_pairs.values()):
            if pair["KeyName"] == name or pair["KeyPairId"] == number:
                ec2._key_pairs.pop(pair["KeyName"])
                ec2._tags.pop(pair["KeyPairId"], None)
        return shown(ec2, "DeleteKeyPairResponse", "<return>true</return>")

    def _refusal(self, params: Params) -> Answer | None:
        name = self._ec2._p(params, "KeyName")
        if not name:
            return self._error("MissingParameter", "KeyName is required")
        if name in self._ec2._key_pairs:
            return self._error(
                "InvalidKeyPair.Duplicate", f"The keypair '{escape(name)}' already exists."
            )
        return None

    def _keep(self, params: Params, kind: str, public: str, fingerprint: str) -> dict[str, Any]:
        ec2 = self._ec2
        record = {
            "KeyName": ec2._p(params, "KeyName"),
            "KeyFingerprint": fingerprint,
            "KeyPairId": f"key-{hashlib.sha256(public.encode()).hexdigest()[:17]}",
            "KeyType": kind,
            "PublicKey": public,
            "CreateTime": ec2._now_ts(),
        }
        ec2._key_pairs[record["KeyName"]] = record
        ec2._parse_tag_specs(params, "key-pair", record["KeyPairId"])
        return record

    def _inner(self, pair: dict[str, Any], *, public: bool) -> str:
        key = f"<publicKey>{escape(pair.get('PublicKey', ''))}</publicKey>" if public else ""
        return (
            f"<keyName>{escape(pair['KeyName'])}</keyName>"
            f"<keyFingerprint>{pair['KeyFingerprint']}</keyFingerprint>"
            f"<keyPairId>{pair['KeyPairId']}</keyPairId>"
            f"<keyType>{pair.get('KeyType', 'rsa')}</keyType>"
            f"<createTime>{pair.get('CreateTime', self._ec2._now_ts())}</createTime>{key}"
            f"{self._ec2._tag_set_xml(pair['KeyPairId'])}"
        )

    def _shown(self, root: str, record: dict[str, Any], more: str) -> Answer:
        return shown(self._ec2, root, self._inner(record, public=False) + more)

    def _error(self, code: str, message: str) -> Answer:
        return refused(self._ec2, code, message)


def _sha256(blob: bytes) -> str:
    return base64.b64encode(hashlib.sha256(base64.b64decode(blob)).digest()).decode()


def _colons(digest: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in digest)
