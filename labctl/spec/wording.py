"""Checks data by a model and says in plain words what is wrong with it, and where."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from labctl.spec.finding import Finding
from labctl.spec.nearest import nearest_hint
from labctl.spec.quantities import spelled
from labctl.spec.references import NOT_FILLED, references_in
from labctl.spec.shapes import valid_keys
from labctl.spec.yaml_text import Route
from labctl.text import one_line

M = TypeVar("M", bound=BaseModel)

MOST_ERRORS = 200

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "none_required": "nothing",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
_LENGTHS = {
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
}
_PATTERNS = {
    r"^[a-z][a-z0-9-]{0,39}$": "lower-case letters, digits and '-', a letter first, 40 at most",
    r"^[a-z][a-z0-9_-]{0,39}$": "lower-case letters, digits, '_' and '-', a letter first",
    r"^[a-z][a-z0-9_]{0,39}$": "lower-case letters, digits and '_', a letter first",
    r"^[A-Za-z_][A-Za-z0-9_]{0,79}$": "letters, digits and '_', no digit first",
    r"^[A-Za-z][A-Za-z0-9_-]{0,39}$": "letters, digits, '_' and '-', a letter first, 40 at most",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$": "letters, digits, '.', '_' and '-', 80 at most",
    r"^[^\r\n]*$": "one line, without line breaks",
}


@dataclass(frozen=True)
class _Problem:
    """One error of pydantic's, in words; `expected` is what a value of the wrong type should be.

    A `weak` one counts only where nothing is wrong inside the value.
    """

    route: Route
    message: str
    hint: str = ""
    at: Literal["key", "value"] = "value"
    expected: str = ""
    weak: bool = False


def check(model: type[M], data: object, findings: list[Finding], route: Route = ()) -> M | None:
    """Return the model of the data at a route, or None after adding what is wrong with it."""
    try:
        # By way of JSON: strict, and yet a list may become a tuple.
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        details = error.errors(include_url=False)[:MOST_ERRORS]
        problems = [_problem(model, data, detail, base=route) for detail in details]
        findings += _merged(problems, data, route)
        return None


def _problem(model: type[BaseModel], data: object, error: ErrorDetails, *, base: Route) -> _Problem:
    route, in_key = _route(data, error["loc"])
    kind = error["type"]
    last = str(error["loc"][-1]) if error["loc"] else ""
    if kind == "extra_forbidden":
        hint = nearest_hint(last, valid_keys(model, route[:-1]))
        return _Problem(route, f"unknown key '{one_line(last, limit=60)}'", hint, at="key")
    if kind == "missing":
        return _Problem(route, f"'{last}' is missing{_within((*base, *route))}")
    if in_key:
        message, hint = _constraint(f"the name {given(route[-1])}", error)
        return _Problem(route, message, hint, at="key")
    if kind in _EXPECTED:
        return _Problem(route, "", expected=_EXPECTED[kind], weak=True)
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        value = value_at(data, route)
        limit = error["ctx"][bound]
        limit = spelled(limit, like=value) if isinstance(value, str) else f"{limit:.15g}"
        subject = _subject((*base, *route))
        return _Problem(route, f"{subject} must be {words} {limit}, not {value}")
    message, hint = _constraint(_subject((*base, *route)), error)
    # A list with a wrong entry is too short as well, in pydantic's eyes.
    return _Problem(route, message, hint, weak=kind == "too_short")


def _route(data: object, loc: tuple[int | str, ...]) -> tuple[Route, bool]:
    """Return the part of pydantic's location that is in the data, and whether it names a key.

    The rest are the names of the members of a union, and a missing key.
    """
    route: Route = ()
    for step in loc:
        if isinstance(data, dict) and step in data:
            data = data[str(step)]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            continue
        route = (*route, step)
    return route, bool(loc) and loc[-1] == "[key]"


def _merged(problems: list[_Problem], data: object, base: Route) -> list[Finding]:
    """Return one finding a route; wrong types count only where nothing better is known."""
    by_route: dict[Route, list[_Problem]] = {}
    for problem in problems:
        by_route.setdefault(problem.route, []).append(problem)
    findings = []
    for route, found in by_route.items():
        if any(other[: len(route)] == route != other for other in by_route):
            found = [problem for problem in found if not problem.weak]
        known = [problem for problem in found if not problem.expected]
        value = value_at(data, route)
        if any(problem.at == "value" for problem in found) and _has_reference(value):
            findings.append(_too_early((*base, *route)))
        elif known:
            findings += [
                Finding((*base, *route), problem.message, problem.hint, problem.at)
                for problem in known
            ]
        elif found:
            expected = " or ".join(dict.fromkeys(problem.expected for problem in found))
            message = f"{_subject((*base, *route))} must be {expected}, not {given(value)}"
            findings.append(Finding((*base, *route), message))
    return findings


def _has_reference(value: object) -> bool:
    return isinstance(value, str) and any(references_in(value))


def _too_early(route: Route) -> Finding:
    if route[0] in NOT_FILLED:
        return Finding(route, f"{_subject(route)} cannot be a reference")
    message = f"{_subject(route)} cannot wait for what is known only once the lab is up"
    return Finding(route, message, "only ${params...} can stand here")


def value_at(data: object, route: Route) -> object:
    """Return the value at a route that exists in the data."""
    for step in route:
        if isinstance(data, dict):
            data = data[str(step)]
        elif isinstance(data, list):
            data = data[int(step)]
    return data


def _constraint(subject: str, error: ErrorDetails) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _LENGTHS:
        words = _LENGTHS[kind].format(**context)
        words = words.replace(" 1 entries", " one entry").replace(" 1 characters", " one character")
        return f"{subject} must have {words}", ""
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        return f"{subject} has characters that are not allowed", (
            f"allowed: {_PATTERNS[pattern]}" if pattern in _PATTERNS else f"it must match {pattern}"
        )
    if kind in ("literal_error", "enum"):
        options = re.findall(r"'([^']*)'", context["expected"])
        return f"{subject} cannot be {given(error['input'])}", (
            nearest_hint(str(error["input"]), options) or f"valid: {context['expected']}"
        )
    if kind in ("value_error", "assertion_error"):
        return f"{subject}: {context['error']}", ""
    return f"{subject}: {error['msg'][:1].lower()}{error['msg'][1:]}", ""


def _subject(route: Route) -> str:
    if not route:
        return "the file"
    last = route[-1]
    if isinstance(last, int):
        return f"entry {last + 1}{_within(route[:-1])}"
    return f"'{one_line(last, limit=60)}'"


def _within(route: Route) -> str:
    return f" in {_subject(route)}" if route else ""


def given(value: object) -> str:
    """Return how a message names a value of a file: `nothing`, `the number 5`, `a list`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{one_line(value, limit=60)}'"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"the number {value}"
