"""What an instance's own init knows about the machine it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Guest:
    """One instance as seen from inside."""

    instance: str
    root: Path
    user: str
    home: str
    environment: dict[str, str]
