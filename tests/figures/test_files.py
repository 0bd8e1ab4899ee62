"""Results in files: read back as they were, and whole in every form that is written for a user."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from PIL import Image

from labctl.errors import UsageError
from labctl.figures.baselines import load_baseline, save_baseline
from labctl.figures.files import as_csv, as_markdown, write_files
from labctl.figures.pictures import png, shapes, svg
from labctl.figures.plots import MEDIAN, plot
from labctl.figures.records import Result, read_results, write_results
from tests.figures.results import result, results

RATES = {"standalone": [100.0, 101, 99, 102], "cluster": [200.0, 210, 190, 205]}


@given(results)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, made: Result
) -> None:
    path = tmp_path_factory.mktemp("kept") / "results.jsonl"
    write_results(path, [made, made])
    assert read_results(path) == [made, made]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["{", '{"benchmark": 1}', '"x"', "\xff"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="holds no results"):
        read_results(path)


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity"])
def test_a_rate_that_cannot_be_is_refused(tmp_path: Path, rate: str) -> None:
    path = tmp_path / "results.jsonl"
    write_results(path, [result({"one": [123.25]})])
    path.write_text(path.read_text().replace("123.25", rate))
    with pytest.raises(UsageError, match="holds no results"):
        read_results(path)


def test_every_form_is_written_and_tells_the_same(tmp_path: Path) -> None:
    made = result(RATES, published=True)
    paths = write_files(tmp_path / "new" / "folder", made)
    assert [path.name for path in paths] == [
        f"read-write.{ending}" for ending in ("json", "csv", "md", "svg", "png")
    ]
    data = json.loads(paths[0].read_text())
    assert [row["subject"] for row in data["standings"]] == ["standalone", "cluster"]
    lines = list(csv.DictReader(io.StringIO(paths[1].read_text())))
    assert [float(line["transactions per s"]) for line in lines[:4]] == RATES["standalone"]
    text = paths[2].read_text()
    for said in ("really faster", "rank test", "Theirs, not ours", "compared no cluster", "185.86"):
        assert said in text
    assert "MariaDB InnoDB 10.11.19" in text
    with Image.open(paths[4]) as picture:
        assert picture.size[0] == 960


@given(results)
def test_pictures_hold_every_round_inside_their_frame(made: Result) -> None:
    drawn, height = shapes(made)
    assert sum(shape.kind == "dot" for shape in drawn) == len(made.figures)
    for shape in drawn:
        for x, y in (shape.at, shape.to):
            assert 0 <= x <= 960
            assert 0 <= y <= height
    root = ElementTree.fromstring(svg(made))
    assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == len(made.figures)


def test_a_picture_can_be_opened_whatever_names_it_shows() -> None:
    made = result({"\u202ename\x00": [1.0], "[bold]": [2.0]})
    with Image.open(io.BytesIO(png(made))) as picture:
        picture.load()


@given(results)
def test_the_table_of_rounds_has_a_line_each(made: Result) -> None:
    lines = list(csv.reader(io.StringIO(as_csv(made))))
    assert len(lines) == len(made.figures) + 1
    assert not any(line[1].startswith(("=", "+", "@")) for line in lines)


@given(results)
def test_markdown_rows_have_their_columns(made: Result) -> None:
    table = [line for line in as_markdown(made).splitlines() if line.startswith("| ")]
    unescaped = [line.replace("\\|", "") for line in table]
    assert {line.count("|") for line in unescaped} == {10}


@given(results)
def test_a_plot_fits_and_has_a_line_for_each_subject(made: Result) -> None:
    drawn = plot(
        {each.name: made.rates(each.name) for each in made.subjects}, unit=made.unit, columns=70
    )
    assert "\x1b" not in drawn
    assert MEDIAN in drawn


def test_a_plot_is_as_wide_as_it_may_be() -> None:
    for columns in (60, 80, 120):
        drawn = plot(RATES, unit="transactions per s", columns=columns)
        assert max(map(len, drawn.splitlines())) <= columns
        assert drawn.count("o") >= 4
    assert plot({}, unit="x", columns=80) == ""


def test_baselines_are_found_by_name(tmp_path: Path) -> None:
    made = result(RATES)
    save_baseline(tmp_path, "db-scaling", "before", [made])
    assert load_baseline(tmp_path, "db-scaling", "before") == [made]
    with pytest.raises(UsageError) as caught:
        load_baseline(tmp_path, "db-scaling", "befor")
    assert "before" in caught.value.hint
    with pytest.raises(UsageError, match="no baselines"):
        load_baseline(tmp_path, "other", "before")
    with pytest.raises(UsageError, match="no name"):
        save_baseline(tmp_path, "db-scaling", "../x", [made])
