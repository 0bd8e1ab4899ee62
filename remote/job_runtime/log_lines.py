"""One line of JSON on standard output for each thing worth knowing, safe to show anywhere."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from job_runtime.masking import masked

_lock = threading.Lock()


def timestamp() -> str:
    """Return the time now in UTC, to the millisecond, as in 2026-01-31T12:00:00.000Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def say(event: str, **details: str | float | None) -> None:
    """Write one line: the event, when, and its details."""
    say_all([{"event": event, **details}])


def say_all(records: Iterable[Mapping[str, str | float | None]]) -> None:
    """Write one line for each record, all of them at once.

    JSON in ASCII leaves no control character, escape sequence or bidi mark in a line.
    """
    now = timestamp()
    text = "".join(json.dumps({"at": now, **record}) + "\n" for record in records)
    say_text(text)


def say_text(text: str) -> None:
    """Write text, secrets masked, and let it leave the process at once."""
    clean = masked(text)
    with _lock:
        sys.stdout.write(clean)
        sys.stdout.flush()
