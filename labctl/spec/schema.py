"""Makes the JSON Schema of lab files from the models, for editors that complete and explain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from labctl.spec.lab import LabFile
from labctl.spec.references import NOT_FILLED
from labctl.spec.vocabulary import Vocabulary

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = r"\$\{"
_CONSTRAINTS = ("enum", "const", "pattern", "minLength", "maxLength")
_NUMERIC = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_NOTES = ("description", "default")
_DEFS = "#/$defs/"


def lab_schema(vocabulary: Vocabulary) -> Schema:
    """Return the JSON Schema (draft 2020-12) of lab files, each kind with its own keys.

    Wherever the loader takes a reference, the schema takes a text with `${` in place of a scalar.
    """
    models: list[type[BaseModel]] = [LabFile, *_parts(vocabulary)]
    refs, definitions = models_json_schema([(model, "validation") for model in models])
    name_of = {model: refs[model, "validation"]["$ref"].removeprefix(_DEFS) for model in models}
    defs: Schema = {name: _mapped(body, _tidy) for name, body in definitions["$defs"].items()}
    lab = defs.pop(name_of[LabFile])
    exact = _reachable(lab["properties"]["params"], defs)
    defs = {
        name: body if name in exact else _mapped(body, _with_reference)
        for name, body in defs.items()
    }
    properties: Schema = {
        name: part if name in NOT_FILLED else _mapped(part, _with_reference)
        for name, part in lab["properties"].items()
    }
    for kinds in (
        vocabulary.kinds,
        vocabulary.workloads,
        vocabulary.actions,
        vocabulary.benchmarks,
    ):
        for kind, model in kinds.items():
            _discriminate(defs[name_of[model]], kind)
    _put_vocabulary(properties, defs, vocabulary, ref=lambda model: _ref(name_of[model]))
    return {
        "$schema": DIALECT,
        "title": "A lab of labctl",
        **lab,
        "properties": properties,
        "$defs": dict(sorted(defs.items())),
    }


def _parts(vocabulary: Vocabulary) -> list[type[BaseModel]]:
    groups: tuple[Mapping[str, type[BaseModel]], ...] = (
        vocabulary.kinds,
        vocabulary.workloads,
        vocabulary.checks,
        vocabulary.actions,
        vocabulary.benchmarks,
    )
    return list(dict.fromkeys(model for group in groups for model in group.values()))


def _put_vocabulary(
    properties: Schema,
    defs: Schema,
    vocabulary: Vocabulary,
    *,
    ref: Callable[[type[BaseModel]], Schema],
) -> None:
    """Put the parts that the vocabulary knows in the places where the models say only `dict`."""
    names = properties["resources"]["patternProperties"]
    names |= dict.fromkeys(names, _one_of(vocabulary.kinds, ref))
    names = properties["actions"]["patternProperties"]
    names |= dict.fromkeys(names, _one_of(vocabulary.actions, ref))
    names = properties["benchmarks"]["patternProperties"]
    names |= dict.fromkeys(names, _one_of(vocabulary.benchmarks, ref))
    workload = properties["workload"]
    workload.pop("anyOf")
    workload |= _one_of(vocabulary.workloads, ref)
    that = defs["CheckEntry"]["properties"]["that"]
    that["additionalProperties"] = False
    that["properties"] = {name: ref(model) for name, model in vocabulary.checks.items()}
    properties["panels"]["items"] = _with_reference({"enum": list(vocabulary.panels)})


def _one_of(
    models: Mapping[str, type[BaseModel]], ref: Callable[[type[BaseModel]], Schema]
) -> Schema:
    return {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": list(models)}},
        "oneOf": [ref(model) for model in models.values()],
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"{_DEFS}{name}"}


def _discriminate(body: Schema, kind: str) -> None:
    body["properties"]["kind"] = {"const": kind}
    body["required"] = sorted({"kind", *body.get("required", [])})


def _reachable(schema: object, defs: Schema) -> set[str]:
    """Return the names of the definitions that a schema leads to."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).removeprefix(_DEFS)
            if name and name not in found:
                found.add(name)
                waiting.append(defs[name])
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return found


def _mapped(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """Return a schema with every schema in it changed, the innermost first."""
    mapped: Schema = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties"):
            mapped[key] = {name: _mapped(part, change) for name, part in value.items()}
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            mapped[key] = [_mapped(part, change) for part in value]
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            mapped[key] = _mapped(value, change)
        else:
            mapped[key] = value
    return change(mapped)


def _tidy(schema: Schema) -> Schema:
    """Return a schema without what only repeats a name, or is a value that no file has."""
    tidy = {key: value for key, value in schema.items() if key != "title"}
    is_text = tidy.get("type") == "string"
    if is_text:  # the bounds of a duration are in seconds, and its text is not
        tidy = {key: value for key, value in tidy.items() if key not in _NUMERIC}
    default = tidy.get("default")
    if not isinstance(default, str | int | float) or (is_text and not isinstance(default, str)):
        tidy.pop("default", None)
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    return tidy


def _with_reference(schema: Schema) -> Schema:
    """Return a schema that takes a reference, too, where it takes a constrained scalar."""
    type_ = schema.get("type")
    constrained = type_ in (None, "string") and any(key in schema for key in _CONSTRAINTS)
    if type_ not in ("integer", "number", "boolean") and not constrained:
        return schema
    notes = {key: value for key, value in schema.items() if key in _NOTES}
    exact = {key: value for key, value in schema.items() if key not in _NOTES}
    return {**notes, "anyOf": [exact, {"type": "string", "pattern": REFERENCE}]}
