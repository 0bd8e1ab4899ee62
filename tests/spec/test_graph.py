"""Circles are found whenever there are any, and only then."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from hypothesis import given
from hypothesis import strategies as st

from labctl.spec.graph import MOST, circles

NAMES = "abcdefgh"
GRAPHS = st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES), max_size=3))


def can_be_ordered(graph: dict[str, set[str]]) -> bool:
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError:
        return False
    return True


@given(GRAPHS)
def test_circles_are_found_if_and_only_if_there_are_any(graph: dict[str, set[str]]) -> None:
    assert bool(circles(graph)) is not can_be_ordered(graph)


@given(GRAPHS)
def test_each_is_a_way_back_to_its_start(graph: dict[str, set[str]]) -> None:
    order = list(graph)
    for circle in circles(graph):
        assert circle[0] == circle[-1]
        assert all(after in graph[name] for name, after in zip(circle, circle[1:], strict=False))
        assert order.index(circle[0]) == min(order.index(name) for name in circle)
        assert len(set(circle)) == len(circle) - 1


@given(GRAPHS)
def test_without_them_none_is_left(graph: dict[str, set[str]]) -> None:
    found = circles(graph)
    if len(found) == MOST:
        return
    closed = {(circle[-2], circle[-1]) for circle in found}
    rest = {
        name: {need for need in needs if (name, need) not in closed}
        for name, needs in graph.items()
    }
    assert can_be_ordered(rest)


def test_a_long_circle_is_no_deep_recursion() -> None:
    graph = {f"n{i}": [f"n{(i + 1) % 20_000}"] for i in range(20_000)}
    (circle,) = circles(graph)
    assert circle[:3] == ["n0", "n1", "n2"]
    assert len(circle) == 20_001
