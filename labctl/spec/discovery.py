"""Finds what a package offers by looking into it: adding a kind or a check is adding one file."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Collection
from types import ModuleType
from typing import TypeVar

from labctl.errors import UsageError

Base = TypeVar("Base")


def discover(package: ModuleType, base_class: type[Base]) -> dict[str, Base]:
    """Return one object of every concrete child of a class in a package's modules, by its `name`.

    Only classes that a module defines itself count, not those it imports. Two of the same name
    are a mistake in labctl itself: `ValueError`, naming both.
    """
    found: dict[str, Base] = {}
    for entry in sorted(pkgutil.iter_modules(package.__path__), key=lambda entry: entry.name):
        module = importlib.import_module(f"{package.__name__}.{entry.name}")
        for member in vars(module).values():
            if _is_offered(member, base_class, module):
                name: str = member.name
                if name in found:
                    other = type(found[name])
                    raise ValueError(
                        f"'{name}' is defined twice: {other.__module__}, {module.__name__}"
                    )
                found[name] = member()
    return dict(sorted(found.items()))


def _is_offered(member: object, base_class: type[object], module: ModuleType) -> bool:
    return (
        inspect.isclass(member)
        and issubclass(member, base_class)
        and member.__module__ == module.__name__
        and not inspect.isabstract(member)
        and isinstance(getattr(member, "name", None), str)
    )


def unknown_name(what: str, name: str, valid: Collection[str]) -> UsageError:
    """Return the error for a name that nothing bears, with the nearest and all valid ones."""
    near = difflib.get_close_matches(name, valid, n=1)
    guess = f"did you mean '{near[0]}'? " if near else ""
    return UsageError(f"there is no {what} '{name}'", f"{guess}valid: {', '.join(sorted(valid))}")
