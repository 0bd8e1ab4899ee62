"""Tags that hold back an instance's traffic: the emulator keeps them, the instance host obeys.

It learns of them at once when they change, as of what security groups open.
"""

from __future__ import annotations

from typing import Any

from labctl.cloud.holding import cut_in, delay_in
from labctl.cloud.patches.fleet import Fleet, Record, Scoped


def mend(ec2: Any, ssm: Any, fleet: Fleet) -> None:  # noqa: ANN401 - the emulator ships no types
    """Have each change of tags told, and the host learn what they say."""

    def held_back(scope: Scoped) -> Record:
        pairs = ec2._tags._data.get(scope) or []
        tags = {str(pair["Key"]): str(pair.get("Value", "")) for pair in pairs}
        return {"cut_off": cut_in(tags), "delay_ms": list(delay_in(tags))}

    fleet.held_back = held_back
    for name in ("CreateTags", "DeleteTags"):
        ec2._ACTION_MAP[name] = fleet.telling(ec2._ACTION_MAP[name])
