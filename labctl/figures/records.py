"""What a benchmark measured, as it is kept in files; read back, it is foreign data and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labctl.errors import UsageError
from labctl.paths import private_folder, write_private
from labctl.text import masked

Number = Annotated[float, Field(allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Record(BaseModel):
    """A part of a file of results; keys of a later version are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Node(Record):
    """A machine that served, or the one that asked: what it is and runs, as it said itself."""

    name: str  # cluster.0
    machine: str = ""  # cores, memory, processor
    place: str = ""  # the local cloud, or an instance type
    engine: str = ""  # MariaDB / InnoDB
    version: str = ""
    settings: Mapping[str, str] = {}  # those that decide the figures


class Subject(Record):
    """One of the things that were compared."""

    name: str
    label: str  # standalone, replicated, cluster; or the way of a request
    tool: str  # what measured it, with its version
    nodes: tuple[Node, ...] = ()
    client: Node | None = None


class Figure(Record):
    """One measured round of one subject; `served` is how much each node did, by its own count."""

    subject: str
    round: int  # from 1
    per_s: Rate
    latency_ms: Mapping[str, Number] = {}
    counts: Mapping[str, Number] = {}
    served: Mapping[str, Mapping[str, int]] = {}
    seconds: Number = 0.0
    raw: str = ""  # what the tool wrote


class Claim(Record):
    """What the original published of one of its subjects: theirs, shown beside ours."""

    per_s: Rate
    counts: Mapping[str, Number] = {}
    latency_ms: Mapping[str, Number] = {}


class Published(Record):
    """The figures of an original, where they are from, and what was wrong with them."""

    source: str
    wrong: tuple[str, ...]
    figures: Mapping[str, Claim]


class Result(Record):
    """One benchmark, measured: subjects in the order in which they are compared."""

    benchmark: str
    kind: str
    say: str
    lab: str
    session: str
    target: str
    at: float  # unix seconds
    unit: str  # "transactions per s"
    settings: Mapping[str, str]
    subjects: tuple[Subject, ...]
    figures: tuple[Figure, ...]
    published: Published | None = None
    notes: tuple[str, ...] = ()

    @property
    def rounds(self) -> int:
        """How many rounds every subject has."""
        return min((len(self.rates(each.name)) for each in self.subjects), default=0)

    def of(self, subject: str) -> list[Figure]:
        """Return the figures of a subject, by round."""
        found = [figure for figure in self.figures if figure.subject == subject]
        return sorted(found, key=lambda figure: figure.round)

    def rates(self, subject: str) -> list[float]:
        """Return what a subject did per second, by round."""
        return [figure.per_s for figure in self.of(subject)]


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write results to a file of labctl's own, whole or not at all."""
    private_folder(path.parent)
    lines = "".join(masked(result.model_dump_json()) + "\n" for result in results)
    write_private(path, lines)


def read_results(path: Path) -> list[Result]:
    """Return the results of a file; raises `UsageError` for one that is not of this form."""
    try:
        text = path.read_text(encoding="utf-8")
        return [Result.model_validate_json(line) for line in text.split("\n") if line.strip()]
    except (ValidationError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path.name} holds no results of this labctl", f"delete it, then measure anew: {path}"
        ) from error


def as_data(result: Result) -> dict[str, Any]:
    """Return a result as plain data for JSON."""
    return result.model_dump(mode="json")
