"""Shows the local cloud: where it answers, what runs on it, and how instances are separated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from labctl.cloud import launch
from labctl.headless.tables import table_lines
from labctl.telling import seconds


def cloud_lines(state: Path, *, as_json: bool) -> list[str]:
    """Return what there is to say of the local cloud of a state folder, keys left out."""
    found = launch.status(state)
    if as_json:
        return [json.dumps(_record(found))]
    if found is None:
        return ["the local cloud is not running", "next: labctl cloud start"]
    health = "" if found.healthy else ", but does not answer now"
    rows = [[each.instance, each.address, each.port, each.user] for each in found.instances]
    return [
        f"the local cloud is up for {seconds(found.uptime_s)} at {found.info.endpoint}{health}",
        f"instances are separated by tier '{found.info.tier}': {found.info.tier_reason}",
        f"logs: {found.info.daemon_log}, {found.info.emulator_log}",
        *(table_lines(["instance", "address", "ssh port", "user"], rows) if rows else []),
        'next: eval "$(labctl env LAB)"   or: labctl cloud stop',
    ]


def _record(found: launch.CloudStatus | None) -> dict[str, Any]:
    if found is None:
        return {"running": False}
    return {
        "running": True,
        "healthy": found.healthy,
        "endpoint": found.info.endpoint,
        "region": found.info.region,
        "tier": found.info.tier,
        "tier_reason": found.info.tier_reason,
        "uptime_s": round(found.uptime_s, 1),
        "instances": [
            {"id": each.instance, "address": each.address, "port": each.port, "user": each.user}
            for each in found.instances
        ],
    }
