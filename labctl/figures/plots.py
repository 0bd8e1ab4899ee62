"""Draws rates in letters, for a terminal: a line a subject, with each round and the median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labctl.figures.statistics import spread
from labctl.text import one_line

ROUND, MEDIAN = "o", "#"
_LEAST_COLUMNS, _MOST_ROWS = 40, 40
_LONGEST_NAME = 20


def plot(rates: Mapping[str, Sequence[float]], *, unit: str, columns: int) -> str:
    """Return the plot as plain text without a line end, `columns` wide; empty where nothing is.

    Shapes tell the marks apart, not colours.
    """
    shown = [(name, values) for name, values in rates.items() if values][:_MOST_ROWS]
    if not shown:
        return ""
    import plotext  # late: only who draws pays for it

    places = list(range(len(shown), 0, -1))
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(max(_LEAST_COLUMNS, columns), max(3, len(shown) * 2 - 1) + 4)
    for place, (_, values) in zip(places, shown, strict=True):
        plotext.scatter(list(values), [place] * len(values), marker=ROUND)
        plotext.scatter([spread(values).median], [place], marker=MEDIAN)
    plotext.yticks(places, [one_line(name, limit=_LONGEST_NAME) for name, _ in shown])
    plotext.ylim(*((1, len(shown)) if len(shown) > 1 else (0, 2)))
    plotext.xlim(0, max(max(values) for _, values in shown) * 1.02)
    plotext.xlabel(f"{one_line(unit, limit=40)}   {ROUND} a round  {MEDIAN} the median")
    drawn = plotext.uncolorize(plotext.build())
    plotext.clear_figure()
    return "\n".join(line.rstrip() for line in drawn.splitlines())
