"""Tables in plain text: aligned columns, the same on a terminal and in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labctl.text import one_line


def table_lines(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Return the lines of a table, two spaces between columns; every cell is made harmless."""
    head = [name.upper() for name in columns]
    cells = [[one_line(str(cell)) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in [head, *cells]) for index in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *cells]
    ]
