"""The corpus: attacks that must never pass and honest queries that must, as data files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).parent

# Of the data set's tables all but `staff`, which holds passwords.
TABLES = (
    *("actor", "address", "category", "city", "country", "customer", "film", "film_actor"),
    *("film_category", "inventory", "language", "payment", "rental", "store"),
)


@dataclass(frozen=True)
class Attack:
    family: str
    mode: str
    query: str
    says: str


def attacks() -> list[Attack]:
    families: list[dict[str, Any]] = yaml.safe_load((_FOLDER / "attacks.yaml").read_text())
    return [
        Attack(each["family"], each.get("mode", "random"), query, each["says"])
        for each in families
        for query in each["queries"].splitlines()
    ]


def honest() -> list[tuple[str, str]]:
    """Return modes and queries."""
    found: dict[str, dict[str, str]] = yaml.safe_load((_FOLDER / "honest.yaml").read_text())
    return [
        (mode, query)
        for mode, families in found.items()
        for queries in families.values()
        for query in queries.splitlines()
    ]
