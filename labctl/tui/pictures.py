"""Draws a picture in characters: half blocks in colour, shades where there is none."""

from __future__ import annotations

from rich.color import Color
from rich.style import Style
from rich.text import Text

from labctl.actions.picture_cells import Cell, Cells, Colour

_SHADES = " .:-=+*#%@"  # dark to light


def drawn(picture: Cells, *, coloured: bool) -> Text:
    """Return a picture as text, a line a row of cells."""
    text = Text(no_wrap=True)
    for number, row in enumerate(picture.rows):
        if number:
            text.append("\n")
        for cell in row:
            if cell is None or not coloured:
                text.append(_shade(cell))
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
