"""The target `aws`: the provider itself, with the keys of the standard chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labctl.targets.addresses import public_address
from labctl.targets.base import CallHook, KeyWait, Place
from labctl.targets.boto import BotoTarget


class AwsTarget(BotoTarget):
    """AWS in one region, with a profile or what the environment gives."""

    name = "aws"

    def __init__(
        self,
        *,
        profile: str | None,
        region: str,
        on_call: CallHook | None = None,
        wait: KeyWait | None = None,
    ) -> None:
        super().__init__(region=region, profile=profile, on_call=on_call, wait=wait)

    def place(self, instance: Mapping[str, Any]) -> Place | None:
        """Return the public address; None until the instance has one."""
        address = instance.get("PublicIpAddress")
        return Place(str(address), 22) if address else None

    def _look_up_caller(self) -> str:
        return public_address()
