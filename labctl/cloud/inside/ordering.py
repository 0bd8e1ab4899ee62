"""Which services start together, and in which order: Wants, Requires, After and Before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from graphlib import CycleError, TopologicalSorter

from labctl.cloud.inside.units import Unit, UnitError


def starting_order(names: Iterable[str], read: Callable[[str], Unit]) -> list[str]:
    """Return these services and what they pull in, each after those that it is to come after.

    Raises `UnitError` when one that is named or required cannot be read, or the order is a circle.
    """
    units = {name: read(name) for name in names}
    left = list(units.values())
    while left:
        unit = left.pop()
        for name in (*unit.requires, *unit.wants):
            if name in units:
                continue
            try:
                units[name] = read(name)
            except UnitError:
                if name in unit.requires:
                    raise
            else:
                left.append(units[name])
    earlier = {name: {*unit.after} & {*units} for name, unit in sorted(units.items())}
    for name, unit in units.items():
        for later in {*unit.before} & {*units}:
            earlier[later].add(name)
    try:
        return list(TopologicalSorter(earlier).static_order())
    except CycleError as error:
        raise UnitError(f"the order is a circle: {' after '.join(error.args[1])}") from error
