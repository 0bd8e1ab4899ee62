"""A small set of pictures, drawn by code: for those who have none of their own at hand."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_SIZE = (320, 240)
_ORIENTATION = 0x0112  # the EXIF tag that says which side of a picture is up
_ROTATED = 6


def picture(number: int, seed: int) -> tuple[str, bytes]:
    """Return the name and the bytes of picture `number`; the same numbers, the same picture."""
    motif = list(_MOTIFS)[number % len(_MOTIFS)]
    draw, ending, options = _MOTIFS[motif]
    rng = random.Random(f"{seed}:{number}")
    out = io.BytesIO()
    drawn = draw(rng)
    drawn.save(out, _FORMATS[ending], **(options() if options else {}))
    return f"{motif}-{number:04}.{ending}", out.getvalue()


def _sunset(rng: random.Random) -> Image:
    """Draw a sky that darkens upwards, with a sun: many colours, smooth edges."""
    from PIL import Image, ImageDraw, ImageFilter

    width, height = _SIZE
    sky = Image.linear_gradient("L").resize(_SIZE)
    picture = Image.merge(
        "RGB", [sky, sky.point(lambda v: v // 2), sky.point(lambda v: 90 - v // 4)]
    )
    x, y = rng.randint(60, width - 60), rng.randint(height // 2, height - 40)
    ImageDraw.Draw(picture).ellipse((x - 30, y - 30, x + 30, y + 30), fill=(255, 230, 120))
    return picture.filter(ImageFilter.GaussianBlur(1))


def _kites(rng: random.Random) -> Image:
    """Draw half-transparent kites on nothing: transparency that must survive."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGBA", _SIZE, (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, r = rng.randrange(_SIZE[0]), rng.randrange(_SIZE[1]), rng.randint(15, 50)
        colour = (rng.randrange(256), rng.randrange(256), rng.randrange(256), rng.randint(90, 255))
        draw.polygon([(x, y - r), (x + r // 2, y), (x, y + r), (x - r // 2, y)], fill=colour)
    return picture


def _mosaic(rng: random.Random) -> Image:
    """Draw tiles in few colours: a palette."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", _SIZE)
    draw = ImageDraw.Draw(picture)
    colours = [tuple(rng.randrange(256) for _ in range(3)) for _ in range(8)]
    for x in range(0, _SIZE[0], 20):
        for y in range(0, _SIZE[1], 20):
            draw.rectangle((x, y, x + 19, y + 19), fill=rng.choice(colours))
    return picture.quantize(16)


def _waves(rng: random.Random) -> Image:
    """Draw crossing waves in grey."""
    from PIL import Image

    long, across = rng.uniform(8, 30), rng.uniform(8, 30)
    rows = [
        bytes(
            int(127.5 + 63 * math.sin(x / long) + 63 * math.sin((x + 2 * y) / across))
            for x in range(_SIZE[0])
        )
        for y in range(_SIZE[1])
    ]
    return Image.frombytes("L", _SIZE, b"".join(rows))


def _rotated() -> dict[str, Any]:
    from PIL import Image

    exif = Image.Exif()
    exif[_ORIENTATION] = _ROTATED
    return {"exif": exif, "quality": 90}


_FORMATS = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP"}
_Motif = tuple[Callable[[random.Random], "Image"], str, Callable[[], dict[str, Any]] | None]
_MOTIFS: dict[str, _Motif] = {
    "sunset": (_sunset, "jpg", None),
    "kites": (_kites, "png", None),
    "mosaic": (_mosaic, "gif", None),
    "waves": (_waves, "png", None),
    "lying": (_sunset, "jpg", _rotated),  # a camera held upright: lying on its side as stored
    "paper": (_kites, "webp", None),
}
