"""Ingress rules: what a lab file may say, and that it survives the way to EC2 and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from labctl.kinds.ingress import IngressRule, Rule, permissions, port_range, standing_rules


def rule(**fields: Any) -> IngressRule:  # noqa: ANN401 - as in a lab file
    return IngressRule.model_validate({"port": 22, "from": "me", **fields})


@pytest.mark.parametrize(
    ("port", "span"),
    [(22, (22, 22)), ("22", (22, 22)), ("8000-8010", (8000, 8010)), (0, (0, 0)), (65535,) * 2],
)
def test_ports_that_are_understood(port: int | str, span: tuple[int, int] | int) -> None:
    expected = span if isinstance(span, tuple) else (span, span)
    assert port_range(rule(port=port).port) == expected


@pytest.mark.parametrize("port", [-1, 65536, "80-", "90-80", "1-65536", "ssh", "", True, 1.5])
def test_ports_that_are_refused(port: object) -> None:
    with pytest.raises(ValidationError):
        rule(port=port)


@pytest.mark.parametrize("source", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "2000::/3"])
def test_the_world_has_to_be_meant(source: str) -> None:
    with pytest.raises(ValidationError, match="world: true"):
        rule(**{"from": source})
    assert rule(**{"from": source}, world=True).source == source


@pytest.mark.parametrize(
    "source",
    ["Me", "1.2.3.4", "1.2.3.4/33", "1.2.3.4/24", "a b", "../x", "", "sg-", "$(id)/24", "x\n"],
)
def test_sources_that_are_refused(source: str) -> None:
    if source == "sg-":  # shaped like a name of the lab file: the loader knows the names
        assert rule(**{"from": source}).source == source
        return
    with pytest.raises(ValidationError):
        rule(**{"from": source})


networks = st.one_of(
    st.ip_addresses(v=4).map(lambda address: f"{address}/32"),
    st.ip_addresses(v=6).map(lambda address: f"{address}/128"),
    st.from_regex(r"\Asg-[0-9a-f]{8}\Z"),
    st.from_regex(r"\Apl-[0-9a-f]{8}\Z"),
)
spans = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(sorted)
rules = st.builds(
    lambda protocol, span, source: Rule(protocol, span[0], span[1], source),
    st.sampled_from(["tcp", "udp"]),
    spans,
    networks,
)


@given(st.sets(rules, max_size=20))
def test_rules_survive_the_way_to_ec2_and_back(wanted: set[Rule]) -> None:
    assert standing_rules(permissions(wanted)) == wanted


def test_a_rule_for_everything_is_seen_for_what_it_is() -> None:
    (found,) = standing_rules([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    assert found == Rule("-1", -1, -1, "0.0.0.0/0")
    assert "FromPort" not in permissions([found])[0]
