"""The options about a session's time: how long it lives, and going on though it will not do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from labctl.cli.options import Duration, agree

if TYPE_CHECKING:
    from labctl.session import Session


class Life(Duration):
    """A time to live such as `90m` or `3h`; the command gets its seconds."""

    def read(self, value: object) -> float:
        """Return the seconds; `ValueError` when no machine can be told to live so long."""
        from labctl.spec.quantities import life_s

        return life_s(value)


# Named as the fields of `Common`, they arrive in it.
takes_life = click.option(
    "--ttl", "ttl_s", type=Life(), metavar="DURATION", help="Live so long from now: 3h."
)
takes_force = click.option(
    "--force", is_flag=True, help="Begin, also when the time left will not do."
)
takes_fetch = click.option(
    "--fetch", is_flag=True, help="Get what lacks here into labctl's own folder, without root."
)


def ask_to_shorten(session: Session, life_s: float | None, *, yes: bool) -> None:
    """Ask when a time to live would end a session that stands sooner than it would end."""
    from labctl.engine.lifetime import ends_sooner
    from labctl.telling import seconds

    now, record = time.time(), session.record
    if life_s is None or not session.is_known or not ends_sooner(record, life_s, now=now):
        return
    left = seconds(record.expires_at - now)
    agree(f"End {record.name} in {seconds(life_s)}, sooner than in {left}?", yes=yes)
    session.may_shorten = True
