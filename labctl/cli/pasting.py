"""Reads a pasted block of credentials: from a pipe, or from a terminal that does not show it."""

from __future__ import annotations

import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import click

from labctl.errors import CredentialsError, UsageError
from labctl.targets.key_file import LONGEST_PASTE, parse_pasted


def pasted_block() -> str:
    """Return what was pasted or piped in."""
    if not sys.stdin.isatty():
        text = sys.stdin.read(LONGEST_PASTE)
        if not text.strip():
            hint = "pipe it in, or run it in a terminal and paste"
            raise UsageError("there is no block of credentials on standard input", hint)
        return text
    with _unseen():  # before it is asked for: a fast paste must not be seen either
        click.echo(
            "Paste the block (it is not shown), then press Enter on an empty line:", err=True
        )
        return "".join(_lines_until_whole())


def _lines_until_whole() -> Iterator[str]:
    text = ""
    while len(text) < LONGEST_PASTE:
        line = sys.stdin.readline()
        if not line.strip() and (text.strip() or not line):
            return
        text += line
        yield line
        try:
            keys = parse_pasted(text)
        except CredentialsError:
            continue
        if keys.token:
            return


@contextmanager
def _unseen() -> Iterator[None]:
    """Switch the terminal's echo off meanwhile; what is typed ahead is thrown away at the end."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        # A rest of the block must not become a command of the shell.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
