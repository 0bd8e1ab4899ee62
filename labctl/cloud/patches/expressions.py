"""DynamoDB's expressions and numbers: the emulator reads the same few of them again and again.

A worker stores each result under the same condition; reading it anew, four times an item, is more
than a third of what the emulator does for a stored result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

_REMEMBERED = 512
_LONGEST = 200  # characters; longer texts hardly come twice


def mend(dynamodb: Any) -> None:  # noqa: ANN401 - the emulator ships no types
    """Have what depends on a short text alone worked out once for it."""
    for name in (
        "_condition_syntax_error",
        "_ddb_canonicalize_number",
        "_number_error",
        "_number_size_bytes",
    ):
        setattr(dynamodb, name, _once(getattr(dynamodb, name)))
    read = dynamodb._tokenize
    tokens = _once(lambda text: tuple(read(text)))
    dynamodb._tokenize = lambda text: list(tokens(text))  # who reads it may change the list


def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    remembered = lru_cache(_REMEMBERED)(function)

    def asked(text: object, *more: object) -> Any:  # noqa: ANN401 - whatever the function returns
        brief = isinstance(text, str) and len(text) <= _LONGEST
        return remembered(text, *more) if brief else function(text, *more)

    return asked
