"""Counts what becomes of a run's jobs from some moment on, whichever labctl runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from labctl.engine.stage import Stage
from labctl.ledger.lock import is_at_work
from labctl.workloads.queries import STALE


class Meanwhile:
    """The jobs that were finished since this was made, as the session's events tell."""

    def __init__(self, stage: Stage) -> None:
        self._file = stage.folder.events_file
        self._place = self._file.stat().st_size if self._file.exists() else 0
        runs = stage.lab.workload is not None and is_at_work(stage.folder.path)
        self._counts = {"done": 0, "failed": 0} if runs else {}

    def jobs(self) -> Mapping[str, int]:
        """Return how many were done and failed, and of those done how many were stale.

        Nothing where no run is on.
        """
        if self._counts:
            for record in self._new_records():
                if record.get("event") == "JobFinished":
                    self._counts["done" if record.get("state") == "done" else "failed"] += 1
                    if str(record.get("answer", "")).startswith(STALE):
                        self._counts["stale"] = self._counts.get("stale", 0) + 1
        return dict(self._counts)

    def _new_records(self) -> Iterator[Mapping[str, Any]]:
        try:
            with self._file.open("rb") as file:
                file.seek(self._place)
                whole = file.read().rpartition(b"\n")[0]
        except OSError:  # the session was taken down meanwhile
            return
        self._place += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record
