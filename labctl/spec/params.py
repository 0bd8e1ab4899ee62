"""The parameters of a lab: their types and bounds, and the values that are in force."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from labctl.spec.fields import StrictModel
from labctl.spec.quantities import duration_s, size_bytes
from labctl.text import harmless

Scalar = bool | int | float | str

ParamType = Literal["integer", "number", "string", "boolean", "duration", "size", "choice"]

_WORDS: Mapping[ParamType, str] = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "duration": "a duration such as 30s",
    "size": "a size such as 10MiB",
    "choice": "one of its choices",
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_UNBOUNDED = ("string", "boolean", "choice")


class Param(StrictModel):
    """A value of the lab that `--set name=value` may change, within its bounds."""

    type: Annotated[ParamType, Field(description="What the value is.")]
    default: Annotated[Scalar, Field(description="The value when `--set` gives none.")]
    min: Annotated[int | float | str | None, Field(description="The least value.")] = None
    max: Annotated[int | float | str | None, Field(description="The greatest value.")] = None
    choices: Annotated[
        tuple[str | int | float, ...] | None, Field(description="What a `choice` may be.")
    ] = None
    help: Annotated[str, Field(description="What the value does, for `labctl show`.")] = ""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Param:
        if self.type == "choice" and not self.choices:
            raise ValueError("a choice needs its choices: [a, b]")
        if self.type != "choice" and self.choices is not None:
            raise ValueError("choices belong to type: choice")
        for bound in (self.min, self.max):
            if bound is not None and self.type in _UNBOUNDED:
                raise ValueError(f"a {self.type} has no min or max")
            if bound is not None:
                _measure(self, bound)
        check_value(self, self.default)
        return self


def check_value(param: Param, value: Scalar) -> Scalar:
    """Return a value that fits the parameter; one that does not is a `ValueError`."""
    size = _measure(param, value)
    if param.type in _UNBOUNDED:
        return value
    if param.min is not None and size < _measure(param, param.min):
        raise ValueError(f"{value} is less than the least, {param.min}")
    if param.max is not None and size > _measure(param, param.max):
        raise ValueError(f"{value} is more than the most, {param.max}")
    return value


def read_setting(param: Param, text: str) -> Scalar:
    """Return the value that `--set name=text` gives a parameter; a wrong one is a `ValueError`."""
    if param.type == "string" and harmless(text) != text:
        raise ValueError("control characters are not allowed")
    return check_value(param, text if param.type == "string" else _parsed(param, text.strip()))


def _parsed(param: Param, text: str) -> Scalar:
    if param.type == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if param.type == "number" and _NUMBER.fullmatch(text):
        return float(text)
    if param.type == "boolean" and text in ("true", "false"):
        return text == "true"
    if param.type == "choice":
        return next((choice for choice in param.choices or () if str(choice) == text), text)
    return text


def _measure(param: Param, value: Scalar) -> float:
    """Return what bounds are compared by, having checked that the value has the type."""
    if param.type == "duration":
        return duration_s(value)
    if param.type == "size":
        return size_bytes(value)
    if param.type == "choice" and value not in (param.choices or ()):
        choices = ", ".join(str(choice) for choice in param.choices or ())
        raise ValueError(f"'{value}' is none of its choices: {choices}")
    if not _has_type(param.type, value):
        raise ValueError(f"'{value}' is not {_WORDS[param.type]}")
    return float(value) if isinstance(value, int | float) else 0.0


def _has_type(type_: ParamType, value: Scalar) -> bool:
    if isinstance(value, bool) or type_ == "boolean":
        return isinstance(value, bool) and type_ in ("boolean", "choice")
    if type_ == "integer":
        return isinstance(value, int)
    if type_ == "number":
        return isinstance(value, int | float) and math.isfinite(value)
    return type_ == "choice" or isinstance(value, str)
