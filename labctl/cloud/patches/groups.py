"""Security groups: the emulator keeps their rules and does nothing with them.

Here the instance host learns what they open between instances, at once when they change.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from labctl.cloud.patches.fleet import Fleet, Record, Scoped

# Source (CIDR), IP protocol (None: any), first and last port (None: all).
Opened = tuple[str, int | None, tuple[int, int] | None]
_CHANGING = (
    "AuthorizeSecurityGroupIngress",
    "RevokeSecurityGroupIngress",
    "ModifySecurityGroupRules",
    "ModifyInstanceAttribute",
    "ModifyNetworkInterfaceAttribute",
)
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1}
_WITH_PORTS = (6, 17)
_BY_HAND: Opened = ("127.0.0.0/8", 6, (22, 22))


def mend(ec2: Any, ssm: Any, fleet: Fleet) -> None:  # noqa: ANN401 - the emulator ships no types
    """Have each change of a rule told, and the host learn what is open."""
    fleet.openings = lambda scope, record: list(_openings(ec2, fleet, scope, record))
    for name in _CHANGING:
        if name in ec2._ACTION_MAP:
            ec2._ACTION_MAP[name] = fleet.telling(ec2._ACTION_MAP[name])


def _openings(ec2: Any, fleet: Fleet, scope: Scoped, record: Record) -> Iterator[Opened]:  # noqa: ANN401 - as above
    """Return what the groups of an instance let in."""
    members: dict[str, list[str]] = {}
    for other_scope, other in fleet.items():
        if other_scope[:2] == scope[:2]:
            for group in other["SecurityGroups"]:
                members.setdefault(group["GroupId"], []).append(f"{other['PrivateIpAddress']}/32")
    for held in record["SecurityGroups"]:
        group = ec2._security_groups._data.get((*scope[:2], held["GroupId"]))
        if group is None:
            continue
        if group["GroupName"] == "default":  # on EC2 it has a rule for that, here it has not
            yield from ((source, None, None) for source in members[held["GroupId"]])
            yield _BY_HAND  # whoever launches one without a group can log in to it, too
        for rule in group["IpPermissions"]:
            what = _what(rule)
            if what is not None:
                for source in _sources(rule, members):
                    yield (source, *what)


def _what(rule: Record) -> tuple[int | None, tuple[int, int] | None] | None:
    """Return protocol and ports of a rule; None for what no instance here can be sent."""
    name = str(rule["IpProtocol"])
    if name == "-1":
        return None, None
    number = _PROTOCOLS.get(name, int(name) if name.isdigit() and int(name) < 256 else None)
    if number is None:
        return None
    first, last = rule.get("FromPort", -1), rule.get("ToPort", -1)
    if number not in _WITH_PORTS or first < 0:
        return number, None
    return (number, (first, last)) if 0 <= first <= last < 2**16 else None


def _sources(rule: Record, members: dict[str, list[str]]) -> Iterator[str]:
    for block in rule["IpRanges"]:
        try:
            yield str(ipaddress.IPv4Network(block["CidrIp"], strict=False))
        except ValueError:
            continue  # the emulator takes any text
    for pair in rule["UserIdGroupPairs"]:
        yield from members.get(pair.get("GroupId", ""), [])
