"""Reads YAML that may mean harm into plain data, and remembers where each key and value stood.

The YAML 1.2 core schema, less what a lab file never needs: anchors, aliases, tags, merge keys,
several documents, keys that are not text. Size, depth and number of values are capped, and the
depth is counted while the parser's events stream past, before anything is built from them.
"""

from __future__ import annotations

import math
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from labctl.errors import Mistake, SpecError
from labctl.text import one_line

Route = tuple[str | int, ...]
"""The keys and indices that lead from the top of a file to one value in it."""

LARGEST_BYTES = 2**20
DEEPEST = 40
MOST_NODES = 40_000
_LARGEST_INTEGER = 2**63 - 1

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Controls, line breaks that only some readers see, and what makes text read other than it is.
_FORBIDDEN = re.compile(
    "\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_PLAIN_WORDS = {
    "mapping values are not allowed in this context": (
        "a ':' is not allowed here",
        "put quotes around a text that holds ': '",
    ),
    "found character that cannot start any token": (
        "no text can begin by this character",
        "put quotes around it",
    ),
    "could not find expected ':'": ("a key without its ':'", ""),
    "found unexpected end of stream": ("a quote is opened here and never closed", ""),
    "found incompatible YAML document": ("an unknown YAML version", "leave the %YAML line out"),
}


@dataclass(frozen=True)
class Place:
    """A place in a file; line and column count from 1, in characters."""

    line: int
    column: int


@dataclass(frozen=True)
class Document:
    """The data of a file, the place of every key and value, and the keys that were refused."""

    file: str
    data: object
    keys: dict[Route, Place] = field(default_factory=dict)
    values: dict[Route, Place] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()

    def mistake(
        self, route: Route, message: str, hint: str = "", *, at: Literal["key", "value"] = "value"
    ) -> Mistake:
        """Return a mistake at a key or value; what has no place of its own has its parent's."""
        places = self.keys if at == "key" else self.values
        place = places.get(route)
        while place is None and route:
            place = self.values.get(route)
            route = route[:-1]
        return _mistake(self.file, place or self.values.get((), Place(1, 1)), message, hint)


def load_file(path: Path) -> Document:
    """Return the data of a YAML file; raises `SpecError` when it cannot be read or parsed."""
    return load_text(_read(path), file=str(path))


def load_text(text: str, *, file: str) -> Document:
    """Return the data of a YAML text; raises `SpecError` when it cannot be parsed.

    Duplicate keys and keys that are not text are left out of the data and noted as mistakes of
    the document, so that the rest of the file can be checked too.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > LARGEST_BYTES:
        raise SpecError([_mistake(file, Place(1, 1), *_TOO_LARGE)])
    if match := _FORBIDDEN.search(text):
        place = _place_of(text, match.start())
        raise SpecError([_mistake(file, place, _forbidden(match.group()))])
    return _Composer(file, text).document()


_TOO_LARGE = (f"the file is larger than {LARGEST_BYTES // 2**20} MiB", "a lab file is a few KiB")


def _read(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise SpecError([_mistake(str(path), Place(1, 1), f"this is {what}")])
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError([_mistake(str(path), Place(1, 1), f"cannot be read: {reason}")]) from error
    if len(content) > LARGEST_BYTES:
        raise SpecError([_mistake(str(path), Place(1, 1), *_TOO_LARGE)])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        place = _place_of(before, len(before))
        raise SpecError([_mistake(str(path), place, "this is not UTF-8 text")]) from error


class _Composer:
    """Builds plain data from the parser's events; one use."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)
        self._keys: dict[Route, Place] = {}
        self._values: dict[Route, Place] = {}
        self._mistakes: list[Mistake] = []
        self._count = 0

    def document(self) -> Document:
        """Return the only document of the text."""
        data: object = None
        seen = False
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent) and seen:
                raise self._refused(event, "a second document", "one file holds one document")
            if isinstance(event, yaml.NodeEvent):
                data, seen = self._node(event, ()), True
        if data is None:
            self._mistakes.append(_mistake(self._file, Place(1, 1), "the file is empty"))
            raise SpecError(self._mistakes)
        return Document(self._file, data, self._keys, self._values, tuple(self._mistakes))

    def _next(self) -> yaml.Event:
        try:
            return next(self._events)
        except yaml.YAMLError as error:
            raise SpecError([*self._mistakes, self._not_yaml(error)]) from error

    def _node(self, event: yaml.NodeEvent, route: Route) -> object:
        self._check(event, route)
        self._values[route] = _place(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, route)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(route)
        assert isinstance(event, yaml.ScalarEvent)
        return self._scalar(event)

    def _check(self, event: yaml.NodeEvent, route: Route) -> None:
        self._count += 1
        if isinstance(event, yaml.AliasEvent):
            raise self._refused(
                event, "an alias (*) is not allowed", "write the value out, or quote it"
            )
        if event.anchor is not None:
            raise self._refused(event, "an anchor (&) is not allowed", "write each value out")
        if getattr(event, "tag", None) is not None:
            raise self._refused(event, "a tag (!) is not allowed", "quote a text that begins by !")
        if len(route) > DEEPEST:
            raise self._refused(event, f"nested deeper than {DEEPEST} levels")
        if self._count > MOST_NODES:
            raise self._refused(event, f"more than {MOST_NODES} keys and values")

    def _sequence(self, route: Route) -> list[object]:
        items: list[object] = []
        while isinstance(event := self._next(), yaml.NodeEvent):
            items.append(self._node(event, (*route, len(items))))
        return items

    def _mapping(self, start: yaml.MappingStartEvent, route: Route) -> dict[str, object]:
        data: dict[str, object] = {}
        while isinstance(event := self._next(), yaml.NodeEvent):
            key = self._key(event, route)
            value_event = self._next()
            assert isinstance(value_event, yaml.NodeEvent)
            if key is None or key in data:
                if key is not None:
                    self._note(
                        event,
                        f"the key '{key}' is there twice",
                        f"first on line {self._keys[(*route, key)].line}",
                    )
                # Below a negative index, which no sequence has: checked, and then left out.
                self._node(value_event, (*route, -self._count))
                continue
            self._keys[(*route, key)] = _place(event)
            data[key] = self._node(value_event, (*route, key))
        return data

    def _key(self, event: yaml.NodeEvent, route: Route) -> str | None:
        """Return a mapping's key, or None after noting why it cannot be one."""
        passing = (*route, -self._count - 1)  # no place of its own: the value's is what counts
        value = self._node(event, passing)
        del self._values[passing]
        if not isinstance(value, str):
            self._note(event, "a key must be text", "put quotes around it")
            return None
        if value == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
            self._note(event, "merge keys (<<) are not allowed", "write the values out")
            return None
        return value

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        text = event.value
        if match := _FORBIDDEN.search(text):
            raise self._refused(event, _forbidden(match.group()))
        if not event.implicit[0]:
            return text
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        return self._number(event, text)

    def _number(self, event: yaml.ScalarEvent, text: str) -> object:
        if _INTEGER.fullmatch(text):
            if len(text) > 24 or abs(integer := int(text, _base(text))) > _LARGEST_INTEGER:
                raise self._refused(event, "this number is too large")
            return integer
        if _NOT_FINITE.fullmatch(text):
            raise self._refused(event, "a number must be finite")
        if _FLOAT.fullmatch(text):
            if len(text) > 400 or not math.isfinite(number := float(text)):
                raise self._refused(event, "this number is too large")
            return number
        return text

    def _note(self, event: yaml.Event, message: str, hint: str) -> None:
        self._mistakes.append(_mistake(self._file, _place(event), message, hint))

    def _refused(self, event: yaml.Event, message: str, hint: str = "") -> SpecError:
        """Return the error for what ends the reading, with what was noted before it."""
        return SpecError([*self._mistakes, _mistake(self._file, _place(event), message, hint)])

    def _not_yaml(self, error: yaml.YAMLError) -> Mistake:
        place = self._place_of_problem(error)
        problem = str(getattr(error, "problem", None) or "it cannot be read")
        line = [*self._text.split("\n", place.line), ""][place.line - 1]
        message, hint = _PLAIN_WORDS.get(problem, (f"this is not valid YAML: {problem}", ""))
        if "\t" in line[: place.column]:
            message, hint = "a tab where YAML wants spaces", "indent with spaces"
        elif "${" in line and "flow" in str(getattr(error, "context", "")):
            hint = 'put quotes around a reference between braces: "${...}"'
        return _mistake(self._file, place, message, hint)

    def _place_of_problem(self, error: yaml.YAMLError) -> Place:
        mark = getattr(error, "problem_mark", None)
        opened = getattr(error, "context_mark", None)
        # What is missed only at the end of the file is better shown where it was opened.
        if opened is not None and (mark is None or mark.index >= len(self._text.rstrip())):
            mark = opened
        return Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)


def _base(text: str) -> int:
    return {"0o": 8, "0x": 16}.get(text[:2], 10)


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    assert mark is not None  # the parser marks every event
    return Place(mark.line + 1, mark.column + 1)


def _place_of(text: str, index: int) -> Place:
    before = text[:index]
    return Place(before.count("\n") + 1, index - before.rfind("\n"))


def _forbidden(character: str) -> str:
    return f"a control or direction character (U+{ord(character):04X}) is not allowed"


def _mistake(file: str, place: Place, message: str, hint: str = "") -> Mistake:
    return Mistake(
        file=one_line(file, limit=300),
        line=place.line,
        column=place.column,
        message=one_line(message, limit=300),
        hint=one_line(hint, limit=600),
    )
