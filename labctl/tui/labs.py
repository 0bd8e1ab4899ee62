"""The labs and sessions that can be opened, and the choices that mean one of them and no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from labctl.engine.choices import Choices
from labctl.spec.catalogue import load_catalogue
from labctl.tui.rows import Row, make_rows

if TYPE_CHECKING:  # the catalogue is shown before there is a lab
    from labctl.ledger.sessions import SessionRecord
    from labctl.spec.lab import Lab
    from labctl.tui.standings import Standing


class Labs:
    """The catalogue as the user's choices find it; a mistake in it is a `LabctlError`.

    `target` and `profile` are those of what is not up yet.
    """

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._catalogue = load_catalogue(choices.catalogue_file)
        self.profile = choices.profile or self._catalogue.defaults.profile or ""
        self.target = choices.target or self._catalogue.defaults.target

    def rows(self, latest: Mapping[str, Standing]) -> Sequence[Row]:
        """Return every lab and session, by course."""
        return make_rows(self._catalogue, latest, self.target)

    def argument(self, row: Row) -> tuple[str, Choices]:
        """Return by which argument and choices the facade means this row and no other session."""
        choices = replace(self._choices, target=self.target)
        if row.standing is not None:
            choices = choices.meaning(row.standing.record)
        elif not choices.name:
            choices = replace(choices, name=row.name)
        return str(row.file), choices


class Found(NamedTuple):
    """A lab, the choices that mean one session of it, and that session, written or not yet."""

    lab: Lab
    choices: Choices
    record: SessionRecord | None = None  # None where there are only events


def find(name: str, choices: Choices) -> Found:
    """Return the lab of this name; `LabctlError` where it cannot be opened."""
    from labctl.access import Access

    session = Access(name, choices)
    if session.is_known:
        choices = choices.meaning(session.record)
    lab = session.lab
    record = Access(str(lab.path), choices).record  # refuses a name that means several sessions
    return Found(lab, choices, record)
