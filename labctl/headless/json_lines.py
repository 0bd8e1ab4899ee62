"""The printer for programs: one event a line on standard output, and nothing else there."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TextIO

from labctl.events import Event, RunFinished, as_record
from labctl.text import masked


class JsonLines:
    """A sink that writes each event as one JSON object a line, with its unix time under `at`.

    `RunFinished` is a result: without a time, and kept for the last line, after a teardown too.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._result: RunFinished | None = None

    def __call__(self, at: float, event: Event) -> None:
        if isinstance(event, RunFinished):
            self._result = event
        else:
            self.line({**as_record(event), "at": round(at, 3)})

    def close(self) -> None:
        """Write the result that was kept for the end."""
        if self._result is not None:
            self.line(as_record(self._result))
            self._result = None

    def busy(self, doing: str) -> AbstractContextManager[None]:
        """Say nothing: a program waits without being told."""
        return nullcontext()

    def going_on(self, doing: str) -> None:
        """Say nothing, as `busy`."""

    def line(self, record: dict[str, Any]) -> None:
        """Write one more object on its line."""
        self._out.write(masked(json.dumps(record, default=str)) + "\n")
        self._out.flush()
