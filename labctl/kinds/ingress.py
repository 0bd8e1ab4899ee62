"""Ingress rules: who may reach which ports, as lab files say it and as EC2 does."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from labctl.errors import TargetError
from labctl.kinds.base import Context
from labctl.spec.fields import ResourceName, StrictModel

_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
# A network so wide that it is the world in all but name (0.0.0.0/1).
_WORLD_PREFIX = {4: 8, 6: 16}


def _ports(value: int | str) -> int | str:
    low, high = port_range(value)
    if not 0 <= low <= high <= 65535:
        raise ValueError("ports go from 0 to 65535, the lower one first")
    return value


def port_range(value: int | str) -> tuple[int, int]:
    """Return the first and last port of `22` or `8000-8010`; raises `ValueError` for others."""
    if isinstance(value, int):
        return value, value
    if match := _PORTS.fullmatch(value):
        return int(match.group(1)), int(match.group(2) or match.group(1))
    raise ValueError("a port is a number, a range is text such as 8000-8010")


def _source(value: str) -> str:
    if "/" in value:
        try:
            ipaddress.ip_network(value)
        except ValueError as error:
            raise ValueError(f"'{value}' is no network such as 203.0.113.0/24") from error
    elif value != "me" and not _NAME.fullmatch(value):
        raise ValueError("say `me`, a network such as 203.0.113.0/24, or a security group's name")
    return value


class IngressRule(StrictModel):
    """Who may reach which ports."""

    port: Annotated[
        int | str,
        AfterValidator(_ports),
        WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        Field(description="One port, or a range such as 8000-8010."),
    ]
    protocol: Literal["tcp", "udp"] = "tcp"
    source: Annotated[
        str,
        AfterValidator(_source),
        ResourceName(("ec2.security_group",), besides="me|.*/.*", itself=True),
        Field(
            alias="from",
            description="`me`, a network (CIDR), or a security group of this lab.",
        ),
    ]
    world: Annotated[
        bool, Field(description="Says that 0.0.0.0/0 is meant: the whole internet may connect.")
    ] = False

    @model_validator(mode="after")
    def _world_is_meant(self) -> IngressRule:
        if "/" in self.source and not self.world:
            network = ipaddress.ip_network(self.source)
            if network.prefixlen < _WORLD_PREFIX[network.version]:
                raise ValueError(
                    f"from: {self.source} lets the whole internet in; "
                    "write world: true beside it if the lab needs that"
                )
        return self


@dataclass(frozen=True, order=True)
class Rule:
    """One rule as EC2 holds it; the source is a network or the id of a security group."""

    protocol: str
    low: int
    high: int
    source: str

    def __str__(self) -> str:
        ports = str(self.low) if self.low == self.high else f"{self.low}-{self.high}"
        return f"{self.protocol} {ports} from {self.source}"


def wanted_rules(context: Context, ingress: Sequence[IngressRule], *, own: str) -> set[Rule]:
    """Return the rules that a lab file asks for, with `me` and group names looked up.

    `own` is the id of the group that they belong to, which may let its own members in.
    """
    return {
        Rule(rule.protocol, *port_range(rule.port), _resolved(context, rule.source, own))
        for rule in ingress
    }


def _resolved(context: Context, source: str, own: str) -> str:
    if source == "me":
        return context.target.caller_address()
    if "/" in source:
        return str(ipaddress.ip_network(source))
    if source == context.resource:
        return own
    group = context.neighbours.get(source)
    if group is None:
        raise TargetError(
            f"{context.resource}: from: {source} is no security group of the lab",
            "the group of a role `worker` is called `worker-access`",
        )
    return group.id


def standing_rules(permissions: Iterable[Mapping[str, Any]]) -> set[Rule]:
    """Return a group's rules from the IpPermissions that EC2 shows."""
    return {rule for permission in permissions for rule in _rules_of(permission)}


def _rules_of(permission: Mapping[str, Any]) -> Iterator[Rule]:
    low, high = permission.get("FromPort", -1), permission.get("ToPort", -1)
    sources = [
        *(each["CidrIp"] for each in permission.get("IpRanges", ())),
        *(each["CidrIpv6"] for each in permission.get("Ipv6Ranges", ())),
        *(each["GroupId"] for each in permission.get("UserIdGroupPairs", ())),
        *(each["PrefixListId"] for each in permission.get("PrefixListIds", ())),
    ]
    for source in sources:
        yield Rule(str(permission["IpProtocol"]), int(low), int(high), source)


def permissions(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """Return rules in the form that EC2 takes."""
    return [_permission(rule) for rule in sorted(rules)]


def _permission(rule: Rule) -> dict[str, Any]:
    found: dict[str, Any] = {"IpProtocol": rule.protocol}
    if rule.protocol != "-1":
        found |= {"FromPort": rule.low, "ToPort": rule.high}
    if rule.source.startswith("sg-"):
        found["UserIdGroupPairs"] = [{"GroupId": rule.source}]
    elif rule.source.startswith("pl-"):
        found["PrefixListIds"] = [{"PrefixListId": rule.source}]
    elif ":" in rule.source:
        found["Ipv6Ranges"] = [{"CidrIpv6": rule.source}]
    else:
        found["IpRanges"] = [{"CidrIp": rule.source}]
    return found
