"""What an instance's own init knows about the machine it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Whose the disks are when root started the cloud: an id that owns nothing, for root itself would
# own the kernel's settings.
SPARE_ID = 65533


@dataclass(frozen=True)
class Guest:
    """One instance as seen from inside."""

    instance: str
    root: Path
    user: str
    home: str
    environment: dict[str, str]
