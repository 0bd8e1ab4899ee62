"""Carries events from where they happen to every sink: the file, the printer, the screen."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from labctl.events import Event, as_record
from labctl.text import masked

Sink = Callable[[float, Event], None]
"""Takes the unix time at which an event happened, and the event."""


class Bus:
    """Hands every event to every sink, one event at a time; safe for several threads."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = list(sinks)
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Record that something happened, now."""
        at = time.time()
        with self._lock:
            for sink in self._sinks:
                sink(at, event)

    def add(self, sink: Sink) -> None:
        """Let one more sink hear what happens from now on."""
        with self._lock:
            self._sinks.append(sink)

    def remove(self, sink: Sink) -> None:
        """Stop telling a sink."""
        with self._lock:
            self._sinks.remove(sink)


class EventFile:
    """A sink that appends events to a session's `events.jsonl`, secrets masked."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        # Line buffered: who follows the file sees whole lines as they happen.
        self._file = os.fdopen(descriptor, "w", buffering=1, encoding="utf-8")

    def __call__(self, at: float, event: Event) -> None:
        record = {"at": round(at, 3), **as_record(event)}
        self._file.write(masked(json.dumps(record, default=str)) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
