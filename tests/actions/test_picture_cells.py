"""Pictures as cells: the right shape and colours, and nothing from bytes that are no picture."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from labctl.actions.picture_cells import Cells, cells_of, side_by_side


def png(width: int, height: int, colour: object = "red", mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height), colour).save(out, "PNG")  # type: ignore[arg-type]  # any colour
    return out.getvalue()


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 120))
def test_the_shape_follows_the_picture(width: int, height: int, columns: int) -> None:
    cells = cells_of(png(width, height), columns=columns)
    assert cells is not None
    assert cells.size == (width, height)
    lengths = {len(row) for row in cells.rows}
    assert lengths == {min(width, columns)}
    wanted = min(width, columns) * height / width / 2
    assert abs(len(cells.rows) - wanted) <= 1


def test_what_is_transparent_is_white() -> None:
    cells = cells_of(png(4, 4, (255, 0, 0, 0), "RGBA"), columns=4)
    assert cells is not None
    assert cells.rows[0][0] == ((255, 255, 255), (255, 255, 255))


def test_a_picture_too_large_is_none_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    body = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    bomb += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    assert cells_of(bomb, columns=10) is None


@given(st.binary(max_size=200))
def test_bytes_that_are_no_picture_are_none(data: bytes) -> None:
    assert cells_of(data, columns=10) is None


@pytest.mark.parametrize("kept", [10, 40, 60])
def test_half_a_picture_is_none(kept: int) -> None:
    assert cells_of(png(30, 30)[:kept], columns=10) is None


def test_beside_each_other_the_shorter_is_padded() -> None:
    tall, flat = cells_of(png(4, 8), columns=4), cells_of(png(4, 2), columns=4)
    both = side_by_side(tall, flat)
    assert both is not None
    assert [len(row) for row in both.rows] == [10] * 4
    assert both.rows[3][6:] == (None,) * 4
    assert side_by_side(None, flat) == flat
    assert side_by_side(None, None) is None
    assert isinstance(side_by_side(tall, None), Cells)
