"""Masks what a process prints, whoever prints it: our lines, libraries' warnings, tracebacks."""

from __future__ import annotations

import io
import sys
from typing import TextIO

from labctl.text import masked


class _Masked(io.TextIOWrapper):
    """A text stream whose every piece is masked; a secret is always written in one piece."""

    def __init__(self, covered: io.TextIOWrapper) -> None:
        super().__init__(
            covered.buffer,
            encoding=covered.encoding,
            errors=covered.errors,
            line_buffering=covered.line_buffering,
            write_through=covered.write_through,
        )
        self._covered = covered  # kept: at its end it would close what both write to

    def write(self, text: str) -> int:
        super().write(masked(text))
        return len(text)


def mask_output() -> None:
    """Hide secrets in all that is written to standard output and standard error from now on."""
    sys.stdout, sys.stderr = _masked(sys.stdout), _masked(sys.stderr)


def write_keys(text: str) -> None:
    """Write to standard output what was asked for because it holds keys: the only way past."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def _masked(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper) or isinstance(stream, _Masked):
        return stream
    stream.flush()
    return _Masked(stream)
