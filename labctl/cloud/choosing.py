"""Chooses the tier of a local cloud: what was asked for, else the best that this system lets us."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

NET_REASON = "each instance has its own files, processes, address and ports"
PLAIN_REASON = "instances are process trees; nothing separates their files and ports"
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_FORBIDDEN = {
    Path("/proc/sys/kernel/unprivileged_userns_clone"): "0",
    Path("/proc/sys/user/max_user_namespaces"): "0",
}


class TierRefused(Exception):
    """The cloud cannot have this tier; message and hint are for the user."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(frozen=True)
class Choice:
    """A tier, and why this one."""

    name: str
    reason: str


def wanted_tier(asked: str, *, remembered: str, in_use: bool) -> str:
    """Return the one tier that will do, or "" where both would.

    Instances are made for the tier that they were first started with. Raises `TierRefused`.
    """
    if not in_use:
        return asked
    if asked and asked != remembered:
        raise TierRefused(
            f"the local cloud has instances of the tier '{remembered}'",
            "take its labs down (labctl down) or empty it (labctl cloud reset), then start it"
            f" with --tier {asked}",
        )
    return remembered or "plain"


def choose(wanted: str, obstacle: str) -> Choice:
    """Return the tier to take, given what stands in the way of `net` ("": nothing does)."""
    if wanted == "plain":
        return Choice("plain", PLAIN_REASON)
    if not obstacle:
        return Choice("net", NET_REASON)
    if wanted == "net":
        raise TierRefused(
            f"the tier 'net' is not possible here: {obstacle}", "labctl cloud start --tier plain"
        )
    return Choice("plain", f"{PLAIN_REASON}; 'net' is not possible here: {obstacle}")


def explained(error: OSError) -> str:
    """Return what a person can do about an error met while namespaces were tried."""
    for setting, off in _FORBIDDEN.items():
        if _value(setting) == off:
            return f"{setting} is {off}: ordinary users may make no user namespaces"
    text = str(error)
    forbidden = error.errno in (errno.EPERM, errno.EACCES) or "ermi" in text
    if forbidden and _value(_APPARMOR) == "1":
        return (
            "AppArmor lets ordinary users make no useful namespaces (sudo sysctl"
            " kernel.apparmor_restrict_unprivileged_userns=0 would)"
        )
    if forbidden and Path("/run/.containerenv").exists() | Path("/.dockerenv").exists():
        return f"this container forbids namespaces or mounts ({text})"
    return text


def _value(setting: Path) -> str:
    try:
        return setting.read_text().strip()
    except OSError:
        return ""
