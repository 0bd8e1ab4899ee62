"""When keys end: by their own word, else the user's, else by when they were first seen."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from labctl.paths import write_private
from labctl.targets.key_file import is_temporary

_REMEMBERED = 20  # so many keys' ends are kept; those of older ones are over
_WARN_AT_MIN = (30.0, 10.0, 2.0)


@dataclass(frozen=True)
class KeyEnd:
    """When keys end, in unix seconds; `about` when nobody said it and it is estimated."""

    at: float
    about: bool

    @property
    def left_s(self) -> float:
        """Seconds from now; negative once it is over."""
        return self.at - time.time()


class KeyEnds:
    """Remembers when keys were first seen and what the user said of their end.

    `file` holds no key, only digests of their ids. `usual_life_s` is how long keys of such an
    account live; without it the end of keys that do not say it is not known.
    """

    def __init__(self, file: Path, *, usual_life_s: float | None = None) -> None:
        self._file = file
        self.usual_life_s = usual_life_s
        self._known: dict[str, KeyEnd | None] = {}
        self._lock = threading.Lock()

    def of(self, access_key: str, said: float | None) -> KeyEnd | None:
        """Return the end of keys of which their source said `said`; None: none, or not known."""
        if said is not None:
            return KeyEnd(said, about=False)
        if not is_temporary(access_key):
            return None
        with self._lock:
            if access_key not in self._known:
                self._known[access_key] = self._remembered(access_key)
            return self._known[access_key]

    def told(self, access_key: str, ends_at: float) -> None:
        """Remember what the user says: the lab's page shows how many minutes are left."""
        with self._lock:
            self._write(access_key, {"first_seen": time.time(), "ends_at": ends_at})
            self._known.pop(access_key, None)

    def _remembered(self, access_key: str) -> KeyEnd | None:
        entry = self._read().get(_digest(access_key))
        if entry is None:
            entry = {"first_seen": time.time()}
            self._write(access_key, entry)
        if "ends_at" in entry:
            return KeyEnd(entry["ends_at"], about=True)
        if self.usual_life_s is None:
            return None
        return KeyEnd(entry["first_seen"] + self.usual_life_s, about=True)

    def _read(self) -> dict[str, dict[str, float]]:
        try:
            content = json.loads(self._file.read_bytes())
            return {
                str(name): {str(key): float(value) for key, value in entry.items()}
                for name, entry in content.items()
            }
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _write(self, access_key: str, entry: dict[str, float]) -> None:
        entries = self._read() | {_digest(access_key): entry}
        newest = sorted(entries.items(), key=lambda each: each[1].get("first_seen", 0.0))
        write_private(self._file, json.dumps(dict(newest[-_REMEMBERED:]), indent=1) + "\n")


class EndWarnings:
    """Tells each threshold before an end (30, 10, 2 minutes) once, the nearest one only."""

    def __init__(self) -> None:
        self._end: KeyEnd | None = None
        self._told_min = float("inf")

    def due(self, end: KeyEnd | None, now: float) -> bool:
        """Return whether a threshold was crossed since the last time; another end begins anew."""
        if end != self._end:
            self._end, self._told_min = end, float("inf")
        if end is None or end.at <= now:
            return False
        crossed = [limit for limit in _WARN_AT_MIN if end.at - now <= limit * 60]
        if not crossed or min(crossed) >= self._told_min:
            return False
        self._told_min = min(crossed)
        return True


def _digest(access_key: str) -> str:
    return hashlib.sha256(access_key.encode()).hexdigest()[:16]
