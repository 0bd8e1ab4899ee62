"""Rough prices: from the table, and never too low for what the table does not know."""

from __future__ import annotations

import datetime

import pytest

from labctl.kinds.prices import as_of
from labctl.kinds.registry import kind
from tests.contract.kind_cases import model


def price(**fields: object) -> float:
    return kind("ec2.instance").price_per_hour_usd(model("ec2.instance", **fields))


def test_a_role_costs_machines_disks_and_addresses() -> None:
    assert price(type="t3.micro") == pytest.approx(0.0104 + 0.005 + 8 * 0.08 / 730)
    assert price(type="t3.micro", count=9) == pytest.approx(9 * price(type="t3.micro"))
    assert price(type="t3.micro", disk="100GiB") > price(type="t3.micro")


def test_an_unknown_type_counts_as_the_dearest() -> None:
    assert price(type="x9.huge") >= price(type="t3.large")


def test_what_is_paid_by_use_costs_nothing_at_rest() -> None:
    assert kind("sqs.queue").price_per_hour_usd(model("sqs.queue")) == 0


def test_the_table_is_dated() -> None:
    assert datetime.date.fromisoformat(as_of()) > datetime.date(2025, 1, 1)
