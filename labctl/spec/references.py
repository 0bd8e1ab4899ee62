"""`${scope.attribute}` in the texts of a lab file: written, read, found and resolved.

A run of `$` before a `{` counts in pairs: `$${` is a literal `${`, and `$$${a.b}` is a `$` before
the value of `a.b`. Any other `$` is itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from pydantic import BaseModel

from labctl.spec.yaml_text import Route

PARAMS = "params"
SESSION = "session"
SESSION_ATTRIBUTES = ("id", "name", "owner", "account", "region")
NOT_FILLED = ("apiVersion", "name", PARAMS)  # the sections of a file without references

Lookup = Callable[[str, str], object]
"""Returns what `${scope.attribute}` stands for, given the scope and the attribute."""

T = TypeVar("T")

_RUN = re.compile(r"(\$+)\{")
_BODY = re.compile(r"([a-z][a-z0-9_-]*)\.([A-Za-z_][A-Za-z0-9_-]*)\}")
_LAST_DOLLARS = re.compile(r"\$+\Z")


@dataclass(frozen=True)
class Reference:
    """One `${scope.attribute}`; the scope is `params`, `session` or a resource's name."""

    scope: str
    attribute: str

    def __str__(self) -> str:
        return f"${{{self.scope}.{self.attribute}}}"


def read_text(text: str) -> list[str | Reference]:
    """Return the literal pieces and the references of a text, in order; literals unescaped.

    A `${` that no reference follows is a `ValueError`.
    """
    pieces: list[str | Reference] = []
    literal = ""
    end = 0
    for run in _RUN.finditer(text):
        literal += text[end : run.start()] + "$" * (len(run[1]) // 2)
        end = run.end()
        if len(run[1]) % 2 == 0:
            literal += "{"
            continue
        body = _BODY.match(text, end)
        if body is None:
            raise ValueError(text[run.end() - 2 :])
        pieces += [literal, Reference(body[1], body[2])]
        literal, end = "", body.end()
    return [piece for piece in [*pieces, literal + text[end:]] if piece != ""]


def write_text(pieces: Iterable[str | Reference]) -> str:
    """Return the text that `read_text` reads as these pieces, neighbouring literals as one."""
    text = literal = ""
    for piece in pieces:
        if isinstance(piece, str):
            literal += piece
            continue
        before = _LAST_DOLLARS.sub(lambda run: run[0] * 2, escaped(literal))
        text, literal = f"{text}{before}{piece}", ""
    return text + escaped(literal)


def escaped(literal: str) -> str:
    """Return a text that stands for these very characters, whatever they are."""
    return _RUN.sub(lambda run: run[1] * 2 + "{", literal)


def references_in(value: object, route: Route = ()) -> Iterator[tuple[Route, Reference]]:
    """Yield every reference in a part of a lab, with its route; malformed texts have none."""
    for where, text in texts_in(value, route):
        try:
            pieces = read_text(text)
        except ValueError:
            continue
        yield from ((where, piece) for piece in pieces if isinstance(piece, Reference))


def texts_in(value: object, route: Route = ()) -> Iterator[tuple[Route, str]]:
    """Yield every text among the values of a part of a lab, with its route."""
    if isinstance(value, str):
        yield route, value
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from texts_in(item, (*route, index))
    else:
        for name, item in _entries(value):
            yield from texts_in(item, (*route, name))


def resolve(value: T, lookup: Lookup) -> T:
    """Return a part of a lab with every reference replaced and every escape undone.

    Works on texts and on models, mappings, lists and tuples of them; anything else is returned
    as it is. A list that a reference stands for becomes text, separated by commas.
    """
    if isinstance(value, str):
        return cast(T, _resolved_text(value, lookup))
    if isinstance(value, list | tuple):
        return cast(T, type(value)(resolve(item, lookup) for item in value))
    if isinstance(value, Mapping):
        return cast(T, {name: resolve(item, lookup) for name, item in value.items()})
    if isinstance(value, BaseModel):
        fields = {name: resolve(item, lookup) for name, item in _entries(value)}
        return cast(T, value.model_copy(update=fields))
    return value


def _entries(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield name, getattr(value, name)
    elif isinstance(value, Mapping):
        yield from value.items()


def _resolved_text(text: str, lookup: Lookup) -> str:
    if "${" not in text:
        return text
    return "".join(
        piece if isinstance(piece, str) else as_text(lookup(piece.scope, piece.attribute))
        for piece in read_text(text)
    )


def as_text(value: object) -> str:
    """Return the text that a value becomes inside a text: `true`, `3`, `a,b`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(as_text(item) for item in value)
    return str(value)
