"""The pictures in `docs/`, colours and all: each is what the screen draws now, byte for byte.

    LABCTL_UPDATE_SNAPSHOTS=1 .venv/bin/pytest -n0 tests/tui/test_gallery.py

writes them anew, and the page that shows them.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.tui.flows import House, house
from tests.tui.pictures import PICTURES, Picture
from tests.tui.picturing import compare, svg_of

__all__ = ["house"]

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
_MOST_BYTES = 1_000_000


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
async def test_a_picture_is_what_is_drawn(house: House, picture: Picture) -> None:
    async with picture.show(house) as pilot:
        drawn = svg_of(pilot)
    compare(drawn, DOCS / f"screen-{picture.name}.svg")
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "url(http" not in drawn


def test_the_page_shows_each_and_nothing_else() -> None:
    lines = ["# The screen, in pictures", ""]
    lines += ["Made by `tests/tui/test_gallery.py` from recorded sessions.", ""]
    for picture in PICTURES:
        lines += [f"## {picture.says}", "", f"![{picture.says}](screen-{picture.name}.svg)", ""]
    compare("\n".join(lines), DOCS / "screen.md")
    assert {file.name for file in DOCS.glob("*.svg")} == {
        f"screen-{picture.name}.svg" for picture in PICTURES
    }
    assert sum(file.stat().st_size for file in DOCS.glob("*.svg")) < _MOST_BYTES


def test_the_readme_shows_pictures_that_there_are() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown = [part.partition(")")[0] for part in readme.split("](docs/")[1:]]
    assert len([name for name in shown if name.endswith(".svg")]) >= 3
    assert all((DOCS / name).exists() for name in shown)
