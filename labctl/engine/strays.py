"""Finds what bears labctl's tags on a target while no session of this machine knows it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.engine.bus import Bus, Sink
from labctl.engine.choices import Choices
from labctl.engine.opening import chosen_target, owner_of
from labctl.engine.teardown import Teardown
from labctl.engine.vocabulary import kinds
from labctl.kinds.base import TAG_OWNER, TAG_SESSION, Actual, Context
from labctl.ledger.sessions import known_sessions
from labctl.paths import private_folder, state_folder
from labctl.spec.catalogue import load_catalogue


@dataclass(frozen=True)
class Strays:
    """What this owner's tags found on a target beyond the sessions that are known."""

    teardown: Teardown
    found: tuple[Actual, ...]

    @property
    def names(self) -> list[str]:
        """What was found, each with the session that it says it belongs to."""
        return [
            f"{actual.kind} {actual.name} (session {actual.tags.get(TAG_SESSION, 'unknown')})"
            for actual in self.found
        ]

    def delete(self) -> list[str]:
        """Delete what was found, and return what is left of it."""
        return self.teardown.delete_found(self.found)


def find_strays(choices: Choices, *, sinks: Sequence[Sink], cancelled: threading.Event) -> Strays:
    """Ask every kind for what bears this owner's tags, and leave out what sessions know."""
    state = state_folder()
    catalogue = load_catalogue(choices.catalogue_file)
    target = chosen_target(choices)
    target.start()
    tags = {TAG_OWNER: owner_of(catalogue)}
    context = Context(
        target=target,
        lab="",
        session="",
        resource="",
        name="",
        tags=tags,
        keys_folder=private_folder(Path(state) / "sweep"),
        neighbours={},
        cancelled=cancelled,
    )
    teardown = Teardown(
        target=target,
        kinds=kinds(),
        tags=tags,
        context=context,
        bus=Bus(*sinks),
        spared=frozenset(record.id for record in known_sessions(state)),
    )
    return Strays(teardown, tuple(teardown.find_all()))
