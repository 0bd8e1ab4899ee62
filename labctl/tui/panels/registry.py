"""Which panels there are, found by looking into this package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache

import labctl.tui.panels
from labctl.tui.panels.base import Panel


@cache
def panels() -> Mapping[str, type[Panel]]:
    """Return every panel's class by its name (`queues`)."""
    found: dict[str, type[Panel]] = {}
    for entry in pkgutil.iter_modules(labctl.tui.panels.__path__):
        module = importlib.import_module(f"{labctl.tui.panels.__name__}.{entry.name}")
        for member in vars(module).values():
            if (
                inspect.isclass(member)
                and issubclass(member, Panel)
                and member.__module__ == module.__name__
                and isinstance(getattr(member, "panel", None), str)
            ):
                if member.panel in found:
                    raise ValueError(f"two panels are named '{member.panel}'")
                found[member.panel] = member
    return found
