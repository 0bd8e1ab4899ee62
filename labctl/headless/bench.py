"""Shows what benchmarks measured: tables, what may be said, plots on a terminal, and files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from labctl.figures.files import write_files
from labctl.figures.plots import plot
from labctl.figures.records import Result, as_data
from labctl.figures.standing import Against, summary, verdict_against
from labctl.figures.statistics import RULE
from labctl.figures.tables import (
    AGAINST_COLUMNS,
    COLUMNS,
    PUBLISHED_COLUMNS,
    about_lines,
    against_rows,
    beside_baseline,
    headline,
    published_lines,
    published_rows,
    rows,
)
from labctl.headless.json_lines import JsonLines
from labctl.headless.plain import Plain

_WIDEST_PLOT = 120


def print_results(
    printer: Plain | JsonLines, results: Sequence[Result], *, before: Sequence[Result] | None = None
) -> list[str]:
    """Show results beside those of a baseline, if any; return what is really slower than there."""
    slower: list[str] = []
    for result in results:
        found = [] if before is None else beside_baseline(result, list(before))
        slower += [
            f"{result.benchmark} {each.subject}"
            for each in found
            if each.comparison is not None and each.comparison.word == "slower"
        ]
        if isinstance(printer, JsonLines):
            printer.line(_record(result, found))
        else:
            _print_result(printer, result)
            if before is not None:
                _print_against(printer, found)
    if isinstance(printer, Plain) and results:
        printer.say("", RULE)
    return slower


def write_all(printer: Plain | JsonLines, folder: Path, results: Sequence[Result]) -> None:
    """Write results to a folder and name the files."""
    for result in results:
        paths = write_files(folder, result)
        if isinstance(printer, Plain):
            printer.say(f"wrote {', '.join(str(path) for path in paths)}")


def _record(result: Result, found: Sequence[Against]) -> dict[str, object]:
    figures = [{k: v for k, v in each.items() if k != "raw"} for each in as_data(result)["figures"]]
    against = [
        {
            "subject": each.subject,
            "before_per_s": each.before.median,
            "now_per_s": each.now.median,
            "differs": list(each.differs),
            "verdict": verdict_against(each),
        }
        for each in found
    ]
    whole = {**as_data(result), "figures": figures, "standings": summary(result)}
    return {"result": whole, **({"against": against} if against else {})}


def _print_result(printer: Plain, result: Result) -> None:
    printer.say("", headline(result))
    printer.table(COLUMNS, rows(result))
    printer.say(*about_lines(result))
    if sys.stdout.isatty():
        columns = min(_WIDEST_PLOT, shutil.get_terminal_size().columns)
        rates = {each.name: result.rates(each.name) for each in result.subjects}
        printer.say("", plot(rates, unit=result.unit, columns=columns))
    if result.published is not None:
        printer.say("")
        printer.table(PUBLISHED_COLUMNS, published_rows(result))
        printer.say(*published_lines(result))


def _print_against(printer: Plain, found: Sequence[Against]) -> None:
    printer.say("")
    if found:
        printer.table(AGAINST_COLUMNS, against_rows(list(found)))
    else:
        printer.say("the baseline has nothing of this benchmark")
