"""Which kinds of action there are, found by looking into this package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from labctl.actions.base import Action
from labctl.spec.discovery import discover


@cache
def actions() -> Mapping[str, Action[Any]]:
    """Return every kind of action by its name (`objects.upload`)."""
    import labctl.actions

    base: type[Action[Any]] = Action  # type: ignore[type-abstract]  # only its children are made
    return MappingProxyType(discover(labctl.actions, base))
