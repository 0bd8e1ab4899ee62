"""Follows a model's annotations: which keys are valid where, and which fields name resources."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from labctl.spec.fields import ResourceName
from labctl.spec.yaml_text import Route


def valid_keys(model: type[BaseModel], route: Route) -> list[str]:
    """Return the keys that the mapping at a route below a model may have, if they are fixed."""
    return sorted({key for found in _models_at(model, route) for key in _fields(found)})


def resource_names(
    model: type[BaseModel], value: object, route: Route = ()
) -> Iterator[tuple[Route, str, ResourceName]]:
    """Yield the fields that name a resource: where, which, and of what kinds.

    The value is an instance of the model, or the data of a file that did not become one.
    """
    if isinstance(value, BaseModel):
        data = {key: getattr(value, name) for key, (name, _) in _fields(type(value)).items()}
        model = type(value)
    else:
        data = value if isinstance(value, dict) else {}
    for key, (_, annotation) in _fields(model).items():
        if key in data:
            yield from _named(data[key], annotation, (*route, key))


def _fields(model: type[BaseModel]) -> dict[str, tuple[str, Any]]:
    """Return a model's fields by the key that a file has for each."""
    return {
        info.alias or name: (name, Annotated[info.annotation, None, *info.metadata])
        for name, info in model.model_fields.items()
    }


def _models_at(annotation: Any, route: Route) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - a type
    if get_origin(annotation) in (Annotated, Union, UnionType):
        arms = get_args(annotation)
        for arm in arms[:1] if get_origin(annotation) is Annotated else arms:
            yield from _models_at(arm, route)
    elif inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        if not route:
            yield annotation
        elif route[0] in (fields := _fields(annotation)):
            yield from _models_at(fields[str(route[0])][1], route[1:])
    elif route and (arguments := get_args(annotation)):
        item = arguments[-1] if isinstance(route[0], str) else arguments[0]
        yield from _models_at(item, route[1:])


def _named(
    value: object,
    annotation: Any,  # noqa: ANN401 - a type
    route: Route,
    marker: ResourceName | None = None,
) -> Iterator[tuple[Route, str, ResourceName]]:
    if isinstance(value, BaseModel):
        yield from resource_names(type(value), value, route)
        return
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield from resource_names(annotation, value, route)
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        own = next((mark for mark in arguments[1:] if isinstance(mark, ResourceName)), marker)
        yield from _named(value, arguments[0], route, own)
    elif origin in (Union, UnionType):
        found = {hit for arm in arguments for hit in _named(value, arm, route, marker)}
        yield from sorted(found, key=lambda hit: str(hit[0]))
    elif isinstance(value, str):
        if marker is not None and annotation is str:
            yield route, value, marker
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            inner = arguments[0] if arguments else Any
            yield from _named(item, inner, (*route, index), marker)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            inner = arguments[-1] if arguments else Any
            yield from _named(item, inner, (*route, key), marker)
