"""What a user chose for one command; apart, for a face imports it before all else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # neither is needed to choose
    from labctl.ledger.sessions import SessionRecord
    from labctl.targets.base import CallHook


@dataclass(frozen=True)
class Choices:
    """What the user chose for one command; empty means the session's, then the catalogue's."""

    target: str = ""
    name: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    plain_names: bool = False
    catalogue_file: Path | None = None
    on_call: CallHook | None = None
    ttl_s: float | None = None  # how long the session lives from now on
    force: bool = False  # go on, also where the time will not do
    fetch: bool = False  # get the system's packages that are lacking here
    profile: str = ""  # for a command without a lab; a lab's is its session's
    creds_timeout_s: float = 0.0  # how long calls whose keys are dead wait for new ones

    def meaning(self, record: SessionRecord) -> Choices:
        """Return these choices, but such that they mean this session and no other."""
        return replace(self, target=record.target, name=record.name.partition("@")[0])
