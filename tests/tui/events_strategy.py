"""Any events at all, for property tests: hostile texts, big numbers, every order."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from labctl import events as e

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07",
    "[bold red]markup[/] [/",
    "\u202egnp.exe",
    "\ud800",
    "\x00\r\n\t",
    "${params.jobs} {0} %s",
    "x" * 5000,
)
NAMES = ("a", "b", "agents.numbers", "agents.numbers:worker-0", "")
WORDS = ("create", "delete", "update", "keep", "push", "provision", "jobs", "done", "failed")
texts = st.one_of(st.sampled_from((*NAMES, *WORDS, *HOSTILE)), st.text(max_size=20))
counts = st.integers(min_value=0, max_value=2**53)
numbers = st.floats(min_value=-(2**53), max_value=2**53)
times = st.floats(min_value=0, max_value=1e11)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def _values(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - a type hint
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        int: counts,
        float: numbers,
        bool: st.booleans(),
        Any: json_values,
    }
    if hint in simple:
        return simple[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of(*(st.none() if each is type(None) else _values(each) for each in inner))
    if origin is tuple:
        return st.lists(_values(inner[0]), max_size=4).map(tuple)
    if origin is Mapping:
        keys = st.sampled_from(("action", "resource", "kind", "name", "jobs", "checks", "p50"))
        return st.dictionaries(keys | texts, _values(inner[1]), max_size=5)
    raise NotImplementedError(hint)


def of_kind(kind: type[e.Event]) -> st.SearchStrategy[e.Event]:
    """Return any event of one kind."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: _values(hints[field.name]) for field in fields(kind)})


KINDS = tuple(kind for kind in e.Event.known.values() if kind.__module__ == e.__name__)
any_event = st.one_of(*(of_kind(kind) for kind in KINDS))
any_history = st.lists(st.tuples(times, any_event), max_size=60)
