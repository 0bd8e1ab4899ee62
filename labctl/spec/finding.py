"""A mistake as the checks find it: where in the data, and not yet where in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labctl.spec.yaml_text import Route


@dataclass(frozen=True)
class Finding:
    """What is wrong with the key or the value at a route."""

    route: Route
    message: str
    hint: str = ""
    at: Literal["key", "value"] = "value"
