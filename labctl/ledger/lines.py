"""A file of records, one JSON object a line, each on disk before the call returns.

What a crash tore off at the end of the file is an incomplete line, which reading ignores and
writing removes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labctl.text import masked


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the complete records of a file; a missing file has none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    return _complete(data)[0]


def _complete(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the records before the first damaged line, and how many bytes they fill."""
    records: list[dict[str, Any]] = []
    good = 0
    for line in data.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        try:
            record = json.loads(line)
        except ValueError:
            break
        if not isinstance(record, dict):
            break
        records.append(record)
        good += len(line)
    return records, good


class Lines:
    """Appends records to a file that nobody else writes meanwhile; `found` were in it before."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.found, good = _complete(path.read_bytes())
        os.ftruncate(self._file, good)
        os.lseek(self._file, good, os.SEEK_SET)

    def append(self, record: Mapping[str, Any]) -> None:
        """Put a record on disk whole or not at all: a full disk takes the first part of one."""
        line = masked(json.dumps(record, default=str)).encode() + b"\n"
        start = os.lseek(self._file, 0, os.SEEK_CUR)
        try:
            while line:
                line = line[os.write(self._file, line) :]
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, start)
            os.lseek(self._file, start, os.SEEK_SET)
            raise

    def close(self) -> None:
        """Close the file; nothing is left to write."""
        os.close(self._file)
