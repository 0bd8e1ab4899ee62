"""Takes one session down from whatever is left of it: lab file, record, journal or only tags."""

from __future__ import annotations

import threading

from labctl.engine.bus import Bus
from labctl.engine.observe import find
from labctl.engine.stage import Stage
from labctl.engine.teardown import Teardown
from labctl.engine.vocabulary import kinds
from labctl.events import TeardownProved
from labctl.kinds.base import TAG_LAB, TAG_OWNER, TAG_SESSION, Context
from labctl.ledger.journal import Journal
from labctl.ledger.sessions import SessionFolder, SessionRecord
from labctl.targets.base import Target


def take_down(
    record: SessionRecord,
    folder: SessionFolder,
    *,
    known: bool,
    others: frozenset[str],
    target: Target,
    journal: Journal,
    bus: Bus,
    cancelled: threading.Event,
) -> TeardownProved:
    """Delete everything of a session, prove it, and forget the session when nothing is left.

    Without a record (`known` is False) everything of this owner and lab goes, but for the
    sessions named in `others`: that is what a lost ledger leaves to go by.
    """
    tags = {TAG_SESSION: record.id} if known else {TAG_LAB: record.lab, TAG_OWNER: record.owner}
    teardown = Teardown(
        target=target,
        kinds=kinds(),
        tags=tags,
        context=Context(
            target=target,
            lab=record.lab,
            session=record.id,
            resource="",
            name="",
            tags=tags,
            keys_folder=folder.keys,
            neighbours={},
            cancelled=cancelled,
        ),
        bus=bus,
        journal=journal,
        spared=others,
    )
    proof = teardown.proved(lab=record.lab, session=record.name)
    if proof.ok:
        folder.remove_resources()
    return proof


def take_back_intended(stage: Stage) -> None:
    """Look for what a crash may have created, by its name, and put it into the journal.

    Tags alone would miss a thing whose service takes no tags in its create call.
    """
    for name, entry in stage.entries.items():
        if entry.state != "creating" or name not in stage.lab.resources:
            continue
        actual = find(stage, name)
        if actual is not None:
            stage.journal.made(
                name,
                id=actual.id,
                attributes=actual.attributes,
                members=actual.members,
                needs=entry.needs,
            )
