"""The value types that lab files use: durations, sizes, names, references to resources."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema

_DURATION_S = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_SIZE_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE_BYTES |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_QUANTITY = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([A-Za-z]+)")


class StrictModel(BaseModel):
    """A part of a lab file: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _in_units(value: object, units: dict[str, float], what: str, example: str) -> float:
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value.strip())):
        number, unit = match.groups()
        if unit in units:
            return float(number) * units[unit]
        raise ValueError(f"unknown unit '{unit}' for a {what}; use one of {', '.join(units)}")
    raise ValueError(f"a {what} is a number with its unit, such as {example}")


def _duration(value: object) -> float:
    return _in_units(value, dict(_DURATION_S), "duration", "30s")


def _size(value: object) -> int:
    return round(_in_units(value, dict(_SIZE_BYTES), "size", "10MiB"))


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|min|h|d)$"}),
]
"""A time span; written `30s`, `3h`, held in seconds."""

Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*(B|KB|MB|GB|KiB|MiB|GiB)$"}),
]
"""An amount of data; written `10MiB`, held in bytes."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
"""The name of a lab, resource, role or agent within a lab file."""


@dataclass(frozen=True)
class ResourceName:
    """Marks a string field that names another resource of the lab, of one of these kinds.

    The loader checks that it exists and is of such a kind, and orders the plan by it.
    """

    kinds: tuple[str, ...]


class ResourceModel(StrictModel):
    """What every resource of a lab file may say; each kind's model adds its own fields."""

    kind: str

    def implied(self, name: str) -> dict[str, ResourceModel]:
        """Return further resources that this one brings along, by name (keys, groups)."""
        return {}
