"""Rough prices, from the dated table beside this file; no call is made to ask for them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

HOURS_IN_MONTH = 730


@cache
def _table() -> Any:  # noqa: ANN401 - our own file's plain data
    return yaml.safe_load(Path(__file__).with_name("prices.yaml").read_text(encoding="utf-8"))


def as_of() -> str:
    """Return the date of the price table."""
    return str(_table()["as_of"])


def instance_hour_usd(instance_type: str, *, disk_gib: int) -> float:
    """Return what one running instance costs an hour, its disk and public address included.

    A type that is not in the table counts as its dearest one.
    """
    table = _table()
    types: dict[str, float] = table["instance_hour"]
    disk = disk_gib * table["volume_gib_month"] / HOURS_IN_MONTH
    machine = types.get(instance_type, max(types.values()))
    return float(machine + disk + table["public_address_hour"])
