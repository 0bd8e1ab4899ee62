"""A target at any URL that speaks AWS's API: an emulator, a private cloud."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from labctl.errors import UsageError
from labctl.targets.addresses import public_address
from labctl.targets.base import CallHook, KeyWait, Place
from labctl.targets.boto import BotoTarget
from labctl.targets.clients import is_loopback


class EndpointTarget(BotoTarget):
    """The services behind one URL, with the keys of the standard chain."""

    def __init__(
        self,
        url: str,
        *,
        region: str = "us-east-1",
        profile: str | None = None,
        on_call: CallHook | None = None,
        wait: KeyWait | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            # Not shown as it is: it may hold a password.
            raise UsageError(
                f"'{url.rpartition('@')[2]}' is no endpoint's URL, or holds a user's name",
                "such as http://127.0.0.1:4566",
            )
        super().__init__(
            region=region, endpoint=url.rstrip("/"), profile=profile, on_call=on_call, wait=wait
        )
        self.name = url.rstrip("/")

    def place(self, instance: Mapping[str, Any]) -> Place | None:
        """Return a loopback address of the instance; None when it has no such.

        Emulators invent public addresses (54.x): those belong to strangers.
        """
        for field in ("PublicIpAddress", "PrivateIpAddress"):
            address = str(instance.get(field) or "")
            if _is_loopback_address(address):
                return Place(address, 22)
        return None

    def _look_up_caller(self) -> str:
        return "127.0.0.1/32" if is_loopback(self.name) else public_address()


def _is_loopback_address(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False
