"""What the emulator remembers of expressions and numbers is what it would work out anew."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import ministack.services.dynamodb as as_shipped
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.cloud.patches import expressions

WORDS = ["attribute_not_exists", "(", ")", "id", ":a", "=", "AND", "#n", ",", "BETWEEN", "."]
EXPRESSIONS = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
NUMBERS = st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{1,5})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)
VALUES = NUMBERS | st.text(max_size=300) | st.none() | st.integers() | st.lists(st.text())


@pytest.fixture(scope="module")
def mended() -> ModuleType:
    spec = importlib.util.find_spec("ministack.services.dynamodb")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    expressions.mend(module)
    return module


def outcome(function: Any, *arguments: object) -> object:  # noqa: ANN401 - of the emulator's
    try:
        return function(*arguments)
    except (ValueError, TypeError, AttributeError) as error:
        return type(error), str(error)


@given(EXPRESSIONS | st.text(max_size=300), st.sampled_from(["ConditionExpression", "Filter"]))
def test_expressions(mended: ModuleType, text: str, slot: str) -> None:
    for _ in range(2):
        tokens = outcome(mended._tokenize, text)
        assert tokens == outcome(as_shipped._tokenize, text)
        if isinstance(tokens, list):
            tokens.clear()  # what one caller does to them, no other sees
        assert outcome(mended._condition_syntax_error, text, slot) == outcome(
            as_shipped._condition_syntax_error, text, slot
        )


@given(VALUES)
def test_numbers(mended: ModuleType, value: object) -> None:
    for name in ("_number_error", "_number_size_bytes", "_ddb_canonicalize_number"):
        for _ in range(2):
            asked = outcome(getattr(mended, name), value)
            assert asked == outcome(getattr(as_shipped, name), value)
