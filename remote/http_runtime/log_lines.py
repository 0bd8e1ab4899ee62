"""One line of JSON on standard output for each thing worth knowing, safe to show anywhere."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime


def say(event: str, **details: str | float | None) -> None:
    """Write one line: the event, when, and its details. JSON in ASCII leaves nothing harmful."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    sys.stdout.write(json.dumps({"at": at, "event": event, **details}) + "\n")
    sys.stdout.flush()
