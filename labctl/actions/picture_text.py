"""A picture's cells as text: half blocks where there is colour, shades of characters where not."""

from __future__ import annotations

from collections.abc import Iterator

from rich.color import Color
from rich.style import Style
from rich.text import Text

from labctl.actions.picture_cells import Cell, Cells, Colour

_SHADES = " .:-=+*#%@"  # dark to light


def lines_of(picture: Cells, *, coloured: bool) -> Iterator[Text]:
    """Yield a picture line by line."""
    for row in picture.rows:
        yield _blocks(row) if coloured else Text("".join(map(_shade, row)))


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
