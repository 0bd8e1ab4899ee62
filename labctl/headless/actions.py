"""Shows what an action did, a line a fact; pictures as half blocks where there is colour."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from labctl.actions.base import Fact
from labctl.actions.picture_cells import Cell, Cells, Colour
from labctl.headless.json_lines import JsonLines
from labctl.headless.plain import Plain
from labctl.text import one_line

_SHADES = " .:-=+*#%@"  # dark to light, for terminals without colour and for pipes


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
    for row in picture.rows:
        console.print(_blocks(row) if coloured else Text("".join(map(_shade, row))), soft_wrap=True)


def _blocks(row: tuple[Cell, ...]) -> Text:
    text = Text()
    for cell in row:
        if cell is None:
            text.append(" ")
        else:
            upper, lower = (Color.from_rgb(*colour) for colour in cell)
            text.append("\u2580", Style(color=upper, bgcolor=lower))
    return text


def _shade(cell: Cell) -> str:
    if cell is None:
        return " "
    light = sum(_luminance(colour) for colour in cell) / 2
    return _SHADES[min(len(_SHADES) - 1, int(light * len(_SHADES)))]


def _luminance(colour: Colour) -> float:
    red, green, blue = (part / 255 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
