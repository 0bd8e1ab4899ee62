"""Puts the values of a lab's parameters in place of `${params.name}`, before anything is checked.

A text that is one parameter and nothing else takes the value with its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labctl.spec.finding import Finding
from labctl.spec.nearest import nearest_hint
from labctl.spec.params import Param, Scalar, read_setting
from labctl.spec.references import NOT_FILLED, PARAMS, Reference, as_text, read_text, write_text
from labctl.spec.wording import check
from labctl.spec.yaml_text import Route

_LATE = ("resources", "agents", "workload", "benchmarks", "outputs")


@dataclass
class Values:
    """The parameters' values in force; None for one whose own entry is wrong.

    `refused` says what is wrong with the settings given on the command line.
    """

    values: dict[str, Scalar | None] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


@dataclass
class Filled:
    """A lab file's data with its parameters filled in; what stands at a `spoilt` route is not."""

    data: dict[str, object]
    findings: list[Finding] = field(default_factory=list)
    spoilt: set[Route] = field(default_factory=set)


def values_in_force(section: object, settings: Mapping[str, str]) -> Values:
    """Return the values of a file's `params` section after the user's settings (`--set`)."""
    result = Values()
    entries = section if isinstance(section, dict) else {}
    for name, entry in entries.items():
        param = check(Param, entry, [])
        result.values[name] = None if param is None else param.default
        if param is not None and name in settings:
            try:
                result.values[name] = read_setting(param, settings[name])
            except ValueError as error:
                result.refused.append(f"--set {name}: {error}")
    for name in settings.keys() - entries.keys():
        hint = nearest_hint(name, entries)
        result.refused.append(f"the lab has no parameter '{name}'{hint and f' ({hint})'}")
    result.refused.sort()
    return result


def fill(data: Mapping[str, object], values: Mapping[str, Scalar | None]) -> Filled:
    """Return a lab file's data with its parameters filled in, and what is wrong with references.

    Where references may wait for the target they stay, and texts stay escaped; elsewhere a text
    becomes final.
    """
    filled = Filled({})
    for key, value in data.items():
        kept = key in NOT_FILLED
        filled.data[key] = value if kept else _fill(value, (key,), values, filled)
    return filled


def is_late(route: Route) -> bool:
    """Return whether what stands at a route may wait for what is known only on the target."""
    return route[0] in _LATE or (route[0] == "checks" and route[2:3] == ("that",))


def _fill(
    value: object, route: Route, values: Mapping[str, Scalar | None], filled: Filled
) -> object:
    if isinstance(value, dict):
        for key in value:
            if "${" in key:
                message = "a key cannot hold a reference"
                filled.findings.append(Finding((*route, key), message, at="key"))
        return {key: _fill(item, (*route, key), values, filled) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, (*route, i), values, filled) for i, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    try:
        return _filled_text(value, values, late=is_late(route))
    except _Wrong as wrong:
        if wrong.message:
            filled.findings.append(Finding(route, wrong.message, wrong.hint))
        filled.spoilt.add(route)
        return value


class _Wrong(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def _filled_text(text: str, values: Mapping[str, Scalar | None], *, late: bool) -> Scalar:
    try:
        pieces = read_text(text)
    except ValueError as error:
        hint = "write ${name.attribute}, or $${ for a literal ${"
        raise _Wrong(f"this is no reference: {str(error)[:60]}", hint) from error
    filled = [_value(piece, values) for piece in pieces]
    waiting = [piece for piece in filled if isinstance(piece, Reference)]
    if len(filled) == 1 and not isinstance(filled[0], str | Reference):
        return filled[0]
    texts = [piece if isinstance(piece, Reference) else as_text(piece) for piece in filled]
    if late:
        return write_text(texts)
    if waiting:
        raise _Wrong(
            f"{waiting[0]} is known only once the lab is up",
            "only ${params...} can stand here",
        )
    return "".join(str(piece) for piece in texts)


def _value(piece: str | Reference, values: Mapping[str, Scalar | None]) -> Scalar | Reference:
    if isinstance(piece, str) or piece.scope != PARAMS:
        return piece
    if piece.attribute not in values:
        raise _Wrong(f"no parameter '{piece.attribute}'", nearest_hint(piece.attribute, values))
    value = values[piece.attribute]
    if value is None:
        raise _Wrong("", "")  # the parameter's own entry is wrong, and that is said already
    return value
