"""The value types that lab files use: durations, sizes, names, references to resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from labctl.spec.quantities import DURATION_PATTERN, SIZE_PATTERN, duration_s, life_s, size_bytes


class StrictModel(BaseModel):
    """A part of a lab file: frozen, and an unknown key is a mistake."""

    # Most kinds are in no lab that is loaded: a model is built when the first of it is read.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


Duration = Annotated[
    float,
    BeforeValidator(duration_s),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
"""A time span; written `30s`, `3h`, held in seconds."""

Life = Annotated[
    float,
    BeforeValidator(life_s),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
"""A time to live; written `3h`, held in seconds."""

Size = Annotated[
    int,
    BeforeValidator(size_bytes),
    WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN}),
]
"""An amount of data; written `10MiB`, held in bytes."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
"""The name of a lab, resource, role or agent within a lab file."""


def _scalar_as_text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Line = Annotated[
    str,
    BeforeValidator(_scalar_as_text),
    StringConstraints(pattern=r"^[^\r\n]*$", max_length=4000),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
"""One line of text, for a program's arguments and environment; a number may be written bare."""


@dataclass(frozen=True)
class ResourceName:
    """Marks a string field that names another resource of the lab, of one of these kinds.

    The loader checks that it exists and is of such a kind, and orders the plan by it. A field
    may say something else too (`from: me`), which the pattern `besides` describes. With `itself`
    it may name the resource that it is a part of.
    """

    kinds: tuple[str, ...]
    besides: str = ""
    itself: bool = False


class ActionModel(StrictModel):
    """What every action of a lab file says; each kind of action adds its own fields."""

    kind: str
    say: Annotated[
        str,
        StringConstraints(pattern=r"^[^\r\n]*$", min_length=1, max_length=200),
        Field(description="What it does, for the student."),
    ]


class BenchmarkEntry(StrictModel):
    """What every benchmark of a lab file says; each kind of benchmark adds its own fields."""

    kind: str
    say: Annotated[
        str,
        StringConstraints(pattern=r"^[^\r\n]*$", min_length=1, max_length=200),
        Field(description="What is compared, for the student."),
    ]


class ResourceModel(StrictModel):
    """What every resource of a lab file may say; each kind's model adds its own fields."""

    kind: str
    name: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
            description="The exact name on the target when the lab runs with --plain-names.",
        ),
    ] = None

    def implied(self, name: str) -> dict[str, ResourceModel]:
        """Return further resources that this one brings along, by name (keys, groups).

        They are made before it and deleted after it.
        """
        return {}
