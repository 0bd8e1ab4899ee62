"""Draws a result as a picture, once as shapes, then as SVG or PNG; both show the same.

A line a subject: a bar from the least to the most, a box for the middle half, a stroke for the
median, a dot for each round. Nothing is told by colour alone.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from labctl.figures.records import Result
from labctl.figures.standing import Standing, standings, verdict
from labctl.figures.tables import headline, published_lines, rate
from labctl.text import one_line

WIDTH = 960
_LEFT, _RIGHT, _TOP, _ROW, _FOOT = 170, 30, 70, 64, 64
_INK, _PALE, _GRID = "#1a1a1a", "#9db8d9", "#d0d0d0"
_TEXT_PX = 14
_STEPS = 5


@dataclass(frozen=True)
class Shape:
    """A line, box, dot or text at a place in pixels; a text's `anchor` is the side it hangs on."""

    kind: Literal["line", "box", "dot", "text"]
    at: tuple[float, float]
    to: tuple[float, float] = (0.0, 0.0)
    colour: str = _INK
    text: str = ""
    anchor: Literal["start", "middle", "end"] = "start"


def shapes(result: Result) -> tuple[list[Shape], int]:
    """Return what to draw and how high the picture is."""
    found = standings(result)
    theirs = [*_claimed(result), *published_lines(result)]
    height = _TOP + _ROW * len(found) + _FOOT + 18 * len(theirs)
    most = max((each.rate.most for each in found), default=1.0) * 1.05
    drawn = [
        _text((12, 26), result.say),
        _text((12, 46), headline(result)),
        *_grid(most, _TOP + _ROW * len(found), result.unit),
    ]
    for number, each in enumerate(found):
        rates = result.rates(each.subject)
        drawn += _row(each, rates, _TOP + _ROW * number, most, comparisons=len(found) - 1)
    for number, line in enumerate(theirs):
        place = _TOP + _ROW * len(found) + _FOOT + 18 * number
        drawn.append(_text((12, place), line))
    return drawn, height


def _claimed(result: Result) -> list[str]:
    claims = result.published.figures.items() if result.published else ()
    return [f"{name}: {rate(claim.per_s)} per s (theirs)" for name, claim in claims]


def _text(
    at: tuple[float, float], text: str, anchor: Literal["start", "middle", "end"] = "start"
) -> Shape:
    return Shape("text", at, text=one_line(text, limit=130), anchor=anchor)


def _x(value: float, most: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * value / most


def _grid(most: float, foot: float, unit: str) -> Iterator[Shape]:
    for step in range(_STEPS + 1):
        value = most * step / _STEPS
        x = _x(value, most)
        yield Shape("line", (x, _TOP - 6), (x, foot), _GRID)
        yield _text((x, foot + 18), rate(value), "middle")
    yield _text((_x(most / 2, most), foot + 38), unit, "middle")


def _row(
    each: Standing, rates: Sequence[float], top: float, most: float, *, comparisons: int
) -> Iterator[Shape]:
    middle = top + 18
    yield _text((12, middle + 5), one_line(each.subject, limit=20))
    low, high = _x(each.rate.low, most), _x(each.rate.high, most)
    yield Shape("box", (low, middle - 9), (max(high, low + 1), middle + 9), _PALE)
    yield Shape("line", (_x(each.rate.least, most), middle), (_x(each.rate.most, most), middle))
    median = _x(each.rate.median, most)
    yield Shape("line", (median, middle - 13), (median, middle + 13))
    yield from (Shape("dot", (_x(value, most), middle)) for value in rates)
    said = verdict(each, comparisons=comparisons)
    yield _text((_LEFT, middle + 31), f"median {rate(each.rate.median)}; {said}")


def svg(result: Result) -> str:
    """Return the picture as SVG that loads nothing from anywhere."""
    drawn, height = shapes(result)
    body = "\n".join(_svg_of(shape) for shape in drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="{_TEXT_PX}">\n'
        f"<title>{escape(one_line(headline(result)))}</title>\n"
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _svg_of(shape: Shape) -> str:
    (x, y), (to_x, to_y), colour = shape.at, shape.to, shape.colour
    match shape.kind:
        case "line":
            ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
            return f'<line {ends} stroke="{colour}"/>'
        case "box":
            size = f'width="{to_x - x:.1f}" height="{to_y - y:.1f}"'
            return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{colour}"/>'
        case "dot":
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="none" stroke="{colour}"/>'
        case "text":
            place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{shape.anchor}"'
            return f'<text {place} fill="{colour}">{escape(shape.text)}</text>'


def png(result: Result) -> bytes:
    """Return the picture as PNG."""
    from PIL import Image, ImageDraw, ImageFont  # late: only who writes pictures pays for it

    drawn, height = shapes(result)
    image = Image.new("RGB", (WIDTH, height), "#ffffff")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(_TEXT_PX)
    for shape in drawn:
        match shape.kind:
            case "line":
                draw.line([shape.at, shape.to], fill=shape.colour)
            case "box":
                draw.rectangle([shape.at, shape.to], fill=shape.colour)
            case "dot":
                (x, y), r = shape.at, 3.5
                draw.ellipse([(x - r, y - r), (x + r, y + r)], outline=shape.colour)
            case "text":
                side = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
                draw.text(shape.at, shape.text, fill=shape.colour, font=font, anchor=side)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
