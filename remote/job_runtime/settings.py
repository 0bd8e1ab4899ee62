"""What the environment tells a worker: its queues, its table, its bucket, its name."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingsError(Exception):
    """The environment does not say what a worker must know."""


@dataclass(frozen=True)
class Settings:
    """Where a worker takes its jobs from and where their results go."""

    requests: str  # queue URL
    responses: str  # queue URL
    results: str  # name of the table whose key is `id`
    archive: str | None  # bucket of the dated log
    worker: str
    spool: Path  # holds what must survive a kill of the process

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Settings:
        """Read REQUESTS, RESPONSES, RESULTS and, where given, ARCHIVE, SPOOL, LABCTL_INSTANCE."""
        missing = [
            name for name in ("REQUESTS", "RESPONSES", "RESULTS") if not environment.get(name)
        ]
        if missing:
            raise SettingsError(f"not set in the environment: {', '.join(missing)}")
        name = environment.get("LABCTL_INSTANCE") or socket.gethostname()
        spool = environment.get("SPOOL")
        return Settings(
            requests=environment["REQUESTS"],
            responses=environment["RESPONSES"],
            results=environment["RESULTS"],
            archive=environment.get("ARCHIVE") or None,
            worker=re.sub(r"[^A-Za-z0-9._-]", "-", name)[:128] or "worker",
            spool=Path(spool) if spool else Path.home() / ".labctl" / "spool",
        )
