"""A picture as characters: each cell shows two pixels, one above the other (a half block)."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

Colour = tuple[int, int, int]
Cell = tuple[Colour, Colour] | None  # the upper and the lower pixel; None is empty

_MOST_PIXELS = 25_000_000
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
_GAP = 2


@dataclass(frozen=True)
class Cells:
    """Rows of cells, all of one length; `size` is the picture's own, width and height."""

    rows: tuple[tuple[Cell, ...], ...]
    size: tuple[int, int]


def cells_of(data: bytes, *, columns: int) -> Cells | None:
    """Return a picture at most so many columns wide; None when it is none, or too large.

    The bytes are a stranger's: formats and size are checked before a pixel is decoded.
    """
    # Imported late: few commands show pictures.
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; the pixels are what counts
            with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    return None
                size = opened.size
                picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    ground = Image.new("RGBA", picture.size, "white")
    flat = Image.alpha_composite(ground, picture).convert("RGB")
    columns = min(columns, flat.width)
    lines = max(1, round(columns * flat.height / flat.width / 2)) * 2
    small = flat.resize((columns, lines), Image.Resampling.BOX)
    raw = small.tobytes()
    pixels: list[Colour] = list(zip(raw[::3], raw[1::3], raw[2::3], strict=True))
    grid = [pixels[start : start + columns] for start in range(0, len(pixels), columns)]
    rows = tuple(
        tuple(zip(upper, lower, strict=True))
        for upper, lower in zip(grid[::2], grid[1::2], strict=True)
    )
    return Cells(rows, size)


def side_by_side(left: Cells | None, right: Cells | None) -> Cells | None:
    """Return two pictures beside each other, the top edges level; what is missing is left out."""
    if left is None or right is None:
        return left or right
    height = max(len(left.rows), len(right.rows))
    return Cells(
        tuple((*_row(left, line), *([None] * _GAP), *_row(right, line)) for line in range(height)),
        (left.size[0] + right.size[0], max(left.size[1], right.size[1])),
    )


def _row(cells: Cells, line: int) -> tuple[Cell, ...]:
    return cells.rows[line] if line < len(cells.rows) else (None,) * len(cells.rows[0])
