"""Shows the local cloud: where it answers, what runs on it, and how instances are separated."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labctl.cloud import launch
from labctl.cloud.session_mode import SessionMode, session_mode
from labctl.headless.tables import table_lines
from labctl.telling import seconds


def cloud_lines(state: Path, *, as_json: bool) -> list[str]:
    """Return what there is to say of the local cloud of a state folder, keys left out."""
    found, mode = launch.status(state), session_mode(state)
    if as_json:
        return [json.dumps(_record(found) | {"session": asdict(mode) if mode else None})]
    expiry = [_session_line(mode)] if mode else []
    if found is None:
        return ["the local cloud is not running", *expiry, "next: labctl cloud start"]
    health = "" if found.healthy else ", but does not answer now"
    rows = [[each.instance, each.address, each.port, each.user] for each in found.instances]
    return [
        f"the local cloud is up for {seconds(found.uptime_s)} at {found.info.endpoint}{health}",
        f"instances are separated by tier '{found.info.tier}': {found.info.tier_reason}",
        *expiry,
        f"logs: {found.info.daemon_log}, {found.info.emulator_log}",
        *(table_lines(["instance", "address", "ssh port", "user"], rows) if rows else []),
        'next: eval "$(labctl env LAB)"   or: labctl cloud stop',
    ]


def _session_line(mode: SessionMode) -> str:
    left_s = mode.expires_at - time.time()
    if mode.ended:
        last = "the last ones issued were ended"
    elif left_s > 0:
        clock = time.strftime("%H:%M:%S", time.localtime(mode.expires_at))
        last = f"the last ones issued expire in {seconds(left_s)}, at {clock}"
    else:
        last = f"the last ones issued expired {seconds(-left_s)} ago"
    return f"session mode: keys expire after {seconds(mode.ttl_s)}; {last}"


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
