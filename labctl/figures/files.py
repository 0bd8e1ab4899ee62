"""Writes results to a folder of the user's: JSON, CSV, Markdown, SVG and PNG, a set a benchmark."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from labctl.figures.pictures import png, svg
from labctl.figures.records import Result, as_data
from labctl.figures.standing import summary
from labctl.figures.statistics import RULE
from labctl.figures.tables import (
    COLUMNS,
    PUBLISHED_COLUMNS,
    about_lines,
    headline,
    published_lines,
    published_rows,
    rows,
    served_lines,
)
from labctl.text import masked, one_line

_FORMULA = ("=", "+", "-", "@", "\t")  # what a spreadsheet would run


def write_files(folder: Path, result: Result) -> list[Path]:
    """Write a result to files named after its benchmark; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "json": json.dumps({**as_data(result), "standings": summary(result)}, indent=1) + "\n",
        "csv": as_csv(result),
        "md": as_markdown(result),
        "svg": svg(result),
    }
    paths = []
    for ending, text in texts.items():
        path = folder / f"{result.benchmark}.{ending}"
        path.write_text(masked(text), encoding="utf-8")
        paths.append(path)
    picture = folder / f"{result.benchmark}.png"
    picture.write_bytes(png(result))
    return [*paths, picture]


def as_csv(result: Result) -> str:
    """Return every round of every subject, a line each."""
    out = io.StringIO()
    latencies = sorted({name for figure in result.figures for name in figure.latency_ms})
    counts = sorted({name for figure in result.figures for name in figure.counts})
    writer = csv.writer(out)
    writer.writerow(
        ["benchmark", "subject", "tool", "round", result.unit]
        + [f"{name} ms" for name in latencies]
        + counts
    )
    tools = {each.name: each.tool for each in result.subjects}
    for figure in result.figures:
        words = [result.benchmark, figure.subject, tools.get(figure.subject, "")]
        numbers = [figure.latency_ms.get(name, "") for name in latencies]
        numbers += [figure.counts.get(name, "") for name in counts]
        writer.writerow([*map(_cell, words), figure.round, figure.per_s, *numbers])
    return out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def as_markdown(result: Result) -> str:
    """Return a report for a reader."""
    lines = [f"# {_plain(result.say)}", "", f"{_plain(headline(result))}.", ""]
    lines += _table(COLUMNS, rows(result))
    lines += ["", _plain(RULE), "", f"![rates]({result.benchmark}.svg)", "", "## What served", ""]
    lines += [f"- {_plain(line.strip())}" for line in about_lines(result)]
    lines += [f"- {_plain(line)}" for line in served_lines(result)]
    if result.published is not None:
        lines += ["", "## Published by the original", ""]
        lines += _table(PUBLISHED_COLUMNS, published_rows(result))
        lines += ["", *map(_plain, published_lines(result))]
    return "\n".join(lines) + "\n"


def _table(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> list[str]:
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return head + [f"| {' | '.join(map(_plain, row))} |" for row in cells]


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    clean = one_line(text, limit=1000)
    return "".join(f"\\{letter}" if letter in "\\`*_|<>[]" else letter for letter in clean)
