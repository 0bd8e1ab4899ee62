"""Shows what an action did, a line a fact; pictures as half blocks where there is colour."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console

from labctl.actions.base import Fact
from labctl.actions.picture_cells import Cells
from labctl.actions.picture_text import lines_of
from labctl.headless.json_lines import JsonLines
from labctl.headless.plain import Plain
from labctl.text import one_line


def print_facts(printer: Plain | JsonLines, facts: Iterable[Fact]) -> tuple[int, int]:
    """Show facts as they come; return how many there were and how many of them failed."""
    count = failed = 0
    for fact in facts:
        count += 1
        failed += not fact.ok
        if isinstance(printer, JsonLines):
            printer.line({"ok": fact.ok, **fact.record})
            continue
        printer.say(f"{'' if fact.ok else 'FAILED  '}{one_line(fact.say)}")
        if fact.picture is not None:
            print_picture(fact.picture)
    return count, failed


def print_picture(picture: Cells) -> None:
    """Write a picture to standard output."""
    console = Console(file=sys.stdout, highlight=False)
    coloured = console.is_terminal and not console.no_color and console.color_system is not None
    for line in lines_of(picture, coloured=coloured):
        console.print(line, soft_wrap=True)
