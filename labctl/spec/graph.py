"""Finds what goes round in circles among the things that need each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter

MOST = 20


def circles(needs: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return circles, each as a path back to its start; none only where there is none.

    So many that without them no other is left, 20 at most. Each begins at the one of its
    members that `needs` has first, and goes on to what that one needs.
    """
    graph = {name: set(needed) for name, needed in needs.items()}
    order = {name: index for index, name in enumerate(needs)}
    found: list[list[str]] = []
    while len(found) < MOST and (circle := _a_circle(graph)):
        start = circle.index(min(circle, key=lambda name: order[name]))
        path = [*circle[start:], *circle[:start]]
        graph[path[-1]].discard(path[0])
        found.append([*path, path[0]])
    return found


def _a_circle(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Return the members of a circle, each followed by what it needs; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        backwards: list[str] = error.args[1]
        return backwards[:0:-1]
    return []
