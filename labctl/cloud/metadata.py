"""An instance's metadata service (IMDSv2): what it is, and its role's keys, for who asks inside.

It listens on the router of all instances; who asks is known by the address, which none can forge.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from labctl.cloud.layout import REGION
from labctl.cloud.session_keys import Era, Keyring, SessionKeys, read_era
from labctl.cloud.tier import Description

ROLE_KEYS_S = 6 * 3600.0  # how long the keys of a role live
_RENEWED_S = 3600.0  # so long before their end there are new ones
_MOST_TOKENS = 1000
_LONGEST_TTL_S = 21600
_TOKEN, _TTL = "x-aws-ec2-metadata-token", "x-aws-ec2-metadata-token-ttl-seconds"
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden"}
_REASONS |= {404: "Not Found", 405: "Method Not Allowed"}
_KEYS_FOLDER = "iam/security-credentials/"


@dataclass(frozen=True)
class _Answer:
    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class RoleKeys:
    """The keys of one instance's role: the same for a while, and new ones before those end."""

    def __init__(self, keyring: Keyring, era_file: Path) -> None:
        self._keyring = keyring
        self._era_file = era_file
        self._issued: tuple[Era, SessionKeys] | None = None

    def now(self) -> SessionKeys:
        """Return keys that are good for an hour and more."""
        now, era = time.time(), read_era(self._era_file)
        last = self._issued
        if last is None or last[0] != era or last[1].expires_at < now + _RENEWED_S:
            last = era, self._keyring.issue(expires_at=now + ROLE_KEYS_S, era=era)
            self._issued = last
        return last[1]


class Metadata:
    """Answers for one instance; `role` is the name of its role now, "" without one."""

    def __init__(
        self,
        description: Description,
        *,
        role: Callable[[], str],
        keys: RoleKeys,
    ) -> None:
        self._description = description
        self._role = role
        self._keys = keys
        self._tokens: dict[str, float] = {}  # until when they are good, monotonic seconds

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            async with asyncio.timeout(10):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                answer = self._answered(head)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            answer = _Answer(400)
        headers = {
            "Content-Type": "text/plain",
            "Content-Length": str(len(answer.body.encode())),
            "Server": "EC2ws",
            "Connection": "close",
            **answer.headers,
        }
        lines = [f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        try:
            writer.write(("\r\n".join(lines) + "\r\n\r\n" + answer.body).encode())
            await writer.drain()
        except OSError:
            pass  # whoever asked is gone
        writer.close()

    def _answered(self, head: str) -> _Answer:
        first, *rest = head.split("\r\n")
        method, path, _ = first.split(" ")
        pairs = (line.partition(":") for line in rest if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if "x-forwarded-for" in headers:  # a proxy must not hand this on
            return _Answer(403)
        if method == "PUT" and path == "/latest/api/token":
            return self._new_token(headers.get(_TTL, ""))
        if method != "GET":
            return _Answer(405)
        if self._tokens.get(headers.get(_TOKEN, ""), 0.0) < time.monotonic():
            return _Answer(401)
        return self._found(path)

    def _new_token(self, ttl: str) -> _Answer:
        if not (ttl.isascii() and ttl.isdigit() and 1 <= int(ttl) <= _LONGEST_TTL_S):
            return _Answer(400)
        while len(self._tokens) >= _MOST_TOKENS:
            self._tokens.pop(next(iter(self._tokens)))
        token = secrets.token_urlsafe(40)
        self._tokens[token] = time.monotonic() + int(ttl)
        return _Answer(200, token, {_TTL: ttl})

    def _found(self, path: str) -> _Answer:
        if path.rstrip("/") == "/latest/user-data":
            data = base64.b64decode(self._description.user_data).decode(errors="replace")
            return _Answer(200, data) if data else _Answer(404)
        if path == "/latest/dynamic/instance-identity/document":
            return _Answer(200, json.dumps(self._document(), indent=2))
        if not path.startswith("/latest/meta-data/"):
            return _Answer(404)
        leaf = path.removeprefix("/latest/meta-data/")
        entries = self._entries()
        if leaf in entries:
            return _Answer(200, entries[leaf]())
        folder = f"{leaf.rstrip('/')}/" if leaf else ""
        below = {entry.removeprefix(folder) for entry in entries if entry.startswith(folder)}
        names = sorted({name.split("/")[0] + "/" * ("/" in name) for name in below})
        return _Answer(200, "\n".join(names)) if names else _Answer(404)

    def _entries(self) -> dict[str, Callable[[], str]]:
        about = self._description
        host = f"ip-{about.private_address.replace('.', '-')}.ec2.internal"
        fixed = {
            "ami-id": about.image,
            "hostname": host,
            "instance-id": about.id,
            "instance-type": about.type,
            "local-hostname": host,
            "local-ipv4": about.private_address,
            "placement/availability-zone": f"{REGION}a",
            "placement/region": REGION,
            "public-ipv4": about.address,
            "services/domain": "amazonaws.com",
        }
        if about.public_key:
            fixed["public-keys/0/openssh-key"] = about.public_key
        entries: dict[str, Callable[[], str]] = {
            name: partial(str, text) for name, text in fixed.items()
        }
        role = self._role()
        if role:
            entries[f"{_KEYS_FOLDER}{role}"] = self._role_keys
        return entries

    def _document(self) -> dict[str, str]:
        about = self._description
        return {
            "availabilityZone": f"{REGION}a",
            "imageId": about.image,
            "instanceId": about.id,
            "instanceType": about.type,
            "privateIp": about.private_address,
            "region": REGION,
        }

    def _role_keys(self) -> str:
        keys = self._keys.now()
        return json.dumps(
            {
                "Code": "Success",
                "LastUpdated": _stamp(keys.expires_at - ROLE_KEYS_S),
                "Type": "AWS-HMAC",
                "AccessKeyId": keys.access_key,
                "SecretAccessKey": keys.secret_key,
                "Token": keys.token,
                "Expiration": _stamp(keys.expires_at),
            }
        )


def _stamp(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
