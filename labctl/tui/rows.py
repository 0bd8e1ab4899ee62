"""The lines of the catalogue: labs by course with the sessions that stand, then all others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl.spec.catalogue import Catalogue, Entry
from labctl.telling import seconds
from labctl.text import one_line
from labctl.tui.standings import Standing

OTHERS = "other sessions"
_NAME_WIDTH = 18


@dataclass(frozen=True)
class Row:
    """One lab of the catalogue, or one session of a lab that is not its first."""

    id: str
    name: str
    title: str
    course: str
    file: Path
    standing: Standing | None

    def fits(self, typed: str) -> bool:
        """Whether every typed word is in its name, title, course or state."""
        state = self.standing.said(time.time()) if self.standing else "not started"
        text = f"{self.name} {self.title} {self.course} {state}".lower()
        return all(word in text for word in typed.lower().split())

    def line(self, now: float) -> str:
        """Return the row as it is shown: name, state, time left, cost so far."""
        name = one_line(self.name, limit=40).ljust(_NAME_WIDTH)
        if self.standing is None:
            return f"{name} not started"
        left = self.standing.left_s(now)
        left_said = f"{seconds(left)} left" if left else "no time left"
        spent = f"{self.standing.spent_usd(now):.2f} USD"
        return f"{name} {self.standing.said(now):<9} {left_said}  {spent}"


def make_rows(catalogue: Catalogue, latest: Mapping[str, Standing], target: str) -> list[Row]:
    """Return the rows by course; each session stands in exactly one of them."""
    free = dict(latest)
    rows = [_lab_row(entry, free, target) for entry in catalogue.labs.values()]
    courses = list(dict.fromkeys(row.course for row in rows))
    rows.sort(key=lambda row: courses.index(row.course))  # the file's order, else as it is
    return rows + list(_other_rows(free))


def _lab_row(entry: Entry, free: dict[str, Standing], target: str) -> Row:
    fitting = [
        name
        for name, standing in free.items()
        if standing.record.target == target
        and name.partition("@")[0] in (entry.name, standing.record.lab)
        and Path(standing.record.lab_file) == entry.path.resolve()
    ]
    standing = free.pop(fitting[0]) if fitting else None
    return Row(f"lab:{entry.name}", entry.name, entry.title, entry.course, entry.path, standing)


def _other_rows(free: Mapping[str, Standing]) -> Iterator[Row]:
    for name, standing in free.items():
        record = standing.record
        title = f"{record.lab} on {record.target}"
        yield Row(f"session:{name}", name, title, OTHERS, Path(record.lab_file), standing)
